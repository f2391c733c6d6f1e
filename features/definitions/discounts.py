"""How price-led: discounts taken, coupons redeemed, campaigns received."""

from features.aggregates import Selection
from features.declare import PURCHASES, counted, since, summed, windowed
from features.feature import Feature

_COUPONS = Selection(("coupon",))
_CAMPAIGNS = Selection(("campaign",))
_DISCOUNTED = Selection(("purchase",), discounted=True)

FEATURES = (
    Feature(
        "discount_share_91",
        "discount_share",
        (summed(PURCHASES, "discount", 91), summed(PURCHASES, "spend", 91)),
        "share",
        "Discount as a share of the full price in the last 91 days: {value}",
        "최근 91일간 정가 대비 할인 비율: {value}",
    ),
    Feature(
        "discounted_lines_91",
        "ratio",
        (counted(_DISCOUNTED, 91), counted(PURCHASES, 91)),
        "share",
        "Lines bought at a discount in the last 91 days: {value}",
        "최근 91일간 할인 구매 건의 비율: {value}",
    ),
    *windowed(
        "coupons", _COUPONS, (28, 91), "Coupons redeemed in the last {window} days: {value}",
        "최근 {window}일간 사용한 쿠폰 수: {value}",
    ),
    since("days_since_coupon", _COUPONS, "Days since the last coupon: {value}", "마지막 쿠폰 사용 후 지난 일수: {value}"),
    *windowed(
        "campaigns", _CAMPAIGNS, (28, 91), "Campaign messages in the last {window} days: {value}",
        "최근 {window}일간 받은 캠페인 수: {value}",
    ),
    since(
        "days_since_campaign", _CAMPAIGNS, "Days since the last campaign message: {value}",
        "마지막 캠페인 수신 후 지난 일수: {value}",
    ),
)  # fmt: skip
