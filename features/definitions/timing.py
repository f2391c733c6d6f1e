"""When: the hours and weekdays of the customer's local clock."""

from features.aggregates import Selection
from features.declare import PURCHASES, counted, plain, ratio, usual_hour
from features.feature import Feature

_TOUCH = ("contact", "inquiry", "complaint")
_EVENING = Selection(("purchase",), hours=(18, 24))
_MORNING = Selection(("purchase",), hours=(0, 12))
_WEEKEND = Selection(("purchase",), weekdays=(5, 6))
_OFFICE = Selection(_TOUCH, hours=(9, 18), weekdays=(0, 1, 2, 3, 4))

FEATURES: tuple[Feature, ...] = (
    ratio(
        "morning_share_364",
        counted(_MORNING, 364),
        counted(PURCHASES, 364),
        "share",
        "Bought before noon, in the last 364 days: {value}",
        "최근 364일간 오전 구매 비율: {value}",
    ),
    ratio(
        "evening_share_364",
        counted(_EVENING, 364),
        counted(PURCHASES, 364),
        "share",
        "Bought after six in the evening, in the last 364 days: {value}",
        "최근 364일간 오후 6시 이후 구매 비율: {value}",
    ),
    ratio(
        "weekend_share_364",
        counted(_WEEKEND, 364),
        counted(PURCHASES, 364),
        "share",
        "Bought on a Saturday or Sunday, in the last 364 days: {value}",
        "최근 364일간 주말 구매 비율: {value}",
    ),
    usual_hour(
        "purchase_hour_364",
        PURCHASES,
        364,
        "Usual hour of shopping, in the last 364 days: {value}",
        "최근 364일간 주로 구매하는 시각: {value}",
    ),
    usual_hour(
        "contact_hour_364",
        Selection(_TOUCH),
        364,
        "Usual hour of getting in touch, in the last 364 days: {value}",
        "최근 364일간 주로 연락하는 시각: {value}",
    ),
    plain(
        "office_contacts_91",
        counted(_OFFICE, 91),
        "count",
        "Conversations in office hours in the last 91 days: {value}",
        "최근 91일간 업무 시간 상담 횟수: {value}",
    ),
)
