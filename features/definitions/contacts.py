"""How we are in touch: conversations by channel, whoever began them, and mere inquiries."""

from features.aggregates import Selection
from features.declare import ratio, since, windowed

_ALL = ("contact", "inquiry", "complaint", "visit")
_TOUCH = Selection(_ALL)
_CHANNELS = {
    "phone": ("phone", "by phone", "전화"),
    "web": ("web", "on the web", "웹"),
    "app": ("app", "in the app", "앱"),
    "email": ("email", "by e-mail", "이메일"),
    "chat": ("chat", "by chat", "채팅"),
    "store": ("store", "in a store", "매장"),
}

FEATURES = (
    *windowed(
        "contacts", _TOUCH, (28, 91, 364), "Conversations in the last {window} days: {value}",
        "최근 {window}일간 상담 횟수: {value}",
    ),
    *(
        feature
        for name, (channel, en, ko) in _CHANNELS.items()
        for feature in windowed(
            f"contacts_{name}", Selection(_ALL, (channel,)), (91,),
            f"Conversations {en} in the last {{window}} days: {{value}}",
            f"최근 {{window}}일간 {ko} 상담 횟수: {{value}}",
        )
    ),
    *windowed(
        "inquiries", Selection(("inquiry",)), (28, 91, 364), "Inquiries in the last {window} days: {value}",
        "최근 {window}일간 문의 횟수: {value}",
    ),
    since(
        "days_since_inquiry", Selection(("inquiry",)), "Days since the last inquiry: {value}",
        "마지막 문의 후 지난 일수: {value}",
    ),
    ratio(
        "contacts_phone_share_91", "contacts_phone_91", "contacts_91", "share",
        "Share of conversations by phone in the last 91 days: {value}", "최근 91일간 전화 상담 비율: {value}",
    ),
    ratio(
        "contacts_per_purchase_day_364", "contacts_364", "purchase_days_364", "ratio",
        "Conversations for a purchase day in the last 364 days: {value}", "최근 364일간 구매일당 상담 횟수: {value}",
    ),
    since("days_since_contact", _TOUCH, "Days since the last conversation: {value}", "마지막 상담 후 지난 일수: {value}"),
)  # fmt: skip
