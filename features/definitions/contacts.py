"""How we are in touch: conversations by channel, whoever began them, and mere inquiries."""

from features.aggregates import Selection
from features.declare import since, windowed

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
        "inquiries", Selection(("inquiry",)), (28, 91), "Inquiries in the last {window} days: {value}",
        "최근 {window}일간 문의 횟수: {value}",
    ),
    since("days_since_contact", _TOUCH, "Days since the last conversation: {value}", "마지막 상담 후 지난 일수: {value}"),
)  # fmt: skip
