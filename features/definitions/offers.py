"""What we proposed, and how it was taken."""

from features.aggregates import Selection
from features.declare import counted, since, windowed
from features.feature import Feature

_PRESENTED = Selection(("offer_presented",))
_ACCEPTED = Selection(("offer_accepted",))
_DECLINED = Selection(("offer_declined",))

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
    since("days_since_accepted", _ACCEPTED, "Days since an offer was accepted: {value}", "마지막 수락 후 지난 일수: {value}"),
    since("days_since_declined", _DECLINED, "Days since an offer was declined: {value}", "마지막 거절 후 지난 일수: {value}"),
)  # fmt: skip
