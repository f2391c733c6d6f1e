"""What went wrong, and what was put right: complaints, returns, late payments, visits, ended contracts."""

from features.aggregates import Selection
from features.declare import PURCHASES, counted, ratio, since, windowed
from features.feature import Feature

_COMPLAINTS = Selection(("complaint",))
_RETURNS = Selection(("return",))

FEATURES = (
    *windowed(
        "complaints", _COMPLAINTS, (28, 91, 364), "Complaints in the last {window} days: {value}",
        "최근 {window}일간 불만 접수 횟수: {value}",
    ),
    since("days_since_complaint", _COMPLAINTS, "Days since the last complaint: {value}", "마지막 불만 접수 후 지난 일수: {value}"),
    ratio(
        "complaint_share_364", "complaints_364", "contacts_364", "share",
        "Complaints among the conversations of the last 364 days: {value}", "최근 364일간 상담 중 불만 비율: {value}",
    ),
    since("days_since_return", _RETURNS, "Days since the last return: {value}", "마지막 반품 후 지난 일수: {value}"),
    *windowed(
        "returns", _RETURNS, (91,), "Returns in the last {window} days: {value}",
        "최근 {window}일간 반품 횟수: {value}",
    ),
    Feature(
        "return_share_364", "ratio", (counted(_RETURNS, 364), counted(PURCHASES, 364)), "share",
        "Returns against purchases in the last 364 days: {value}", "최근 364일간 구매 대비 반품 비율: {value}",
    ),
    *windowed(
        "payments", Selection(("payment",)), (91,), "Bills paid in the last {window} days: {value}",
        "최근 {window}일간 납부 횟수: {value}",
    ),
    *windowed(
        "late_payments", Selection(("late_payment",)), (91, 364), "Late payments in the last {window} days: {value}",
        "최근 {window}일간 연체 횟수: {value}",
    ),
    since(
        "days_since_late_payment", Selection(("late_payment",)), "Days since the last late payment: {value}",
        "마지막 연체 후 지난 일수: {value}",
    ),
    since("days_since_visit", Selection(("visit",)), "Days since the last field visit: {value}", "마지막 방문 서비스 후 지난 일수: {value}"),
    *windowed(
        "visits", Selection(("visit",)), (91,), "Field visits in the last {window} days: {value}",
        "최근 {window}일간 방문 서비스 횟수: {value}",
    ),
    *windowed(
        "ends", Selection(("end",)), (364,), "Contracts ended in the last {window} days: {value}",
        "최근 {window}일간 해지한 계약 수: {value}",
    ),
    since("days_since_end", Selection(("end",)), "Days since a contract was last ended: {value}", "마지막 계약 해지 후 지난 일수: {value}"),
)  # fmt: skip
