"""What we proposed, and how it was taken."""

from features.aggregates import Selection
from features.declare import counted, since, windowed
from features.feature import Feature

_PRESENTED = Selection(("offer_presented",))
_ACCEPTED = Selection(("offer_accepted",))
_DECLINED = Selection(("offer_declined",))
_REASONS = {
    "price": ("the price", "가격"),
    "need": ("lack of need", "필요 없음"),
    "timing": ("the moment", "시기"),
    "trust": ("lack of trust", "신뢰 부족"),
    "rival": ("a rival", "경쟁사"),
    "service": ("poor service", "서비스 불만"),
}

FEATURES = (
    *windowed(
        "offers_presented", _PRESENTED, (28, 91), "Offers made in the last {window} days: {value}",
        "최근 {window}일간 제안 횟수: {value}",
    ),
    *windowed(
        "offers_accepted", _ACCEPTED, (91,), "Offers accepted in the last {window} days: {value}",
        "최근 {window}일간 수락한 제안 수: {value}",
    ),
    *windowed(
        "offers_interested", Selection(("offer_interested",)), (91,),
        "Offers that met with interest in the last {window} days: {value}", "최근 {window}일간 관심을 보인 제안 수: {value}",
    ),
    *windowed(
        "offers_returned", Selection(("offer_returned",)), (364,),
        "Accepted offers given back in the last {window} days: {value}", "최근 {window}일간 철회한 제안 수: {value}",
    ),
    *windowed(
        "offers_declined", _DECLINED, (28, 91), "Offers declined in the last {window} days: {value}",
        "최근 {window}일간 거절한 제안 수: {value}",
    ),
    Feature(
        "offer_acceptance_364", "ratio", (counted(_ACCEPTED, 364), counted(_PRESENTED, 364)), "share",
        "Share of offers accepted in the last 364 days: {value}", "최근 364일간 제안 수락 비율: {value}",
    ),
    *(
        feature
        for sort, (en, ko) in _REASONS.items()
        for feature in windowed(
            f"declined_for_{sort}", Selection(("reason",), product=sort), (91,),
            f"Offers declined for {en} in the last {{window}} days: {{value}}",
            f"최근 {{window}}일간 {ko} 때문에 거절한 제안 수: {{value}}",
        )
    ),
    since("days_since_accepted", _ACCEPTED, "Days since an offer was accepted: {value}", "마지막 수락 후 지난 일수: {value}"),
    since("days_since_declined", _DECLINED, "Days since an offer was declined: {value}", "마지막 거절 후 지난 일수: {value}"),
)  # fmt: skip
