"""What the ways by hand compute, as tables: which counts, which days since, which ratios; nothing of the engine."""

TOUCH = ("contact", "inquiry", "complaint", "visit")
ASKED = ("contact", "inquiry", "complaint")
# Events of some kinds in each of some windows, in days.
COUNTS: dict[str, tuple[tuple[str, ...], tuple[int, ...]]] = {
    "coupons": (("coupon",), (28, 91)),
    "campaigns": (("campaign",), (28, 91)),
    "contacts": (TOUCH, (28, 91, 364)),
    "inquiries": (("inquiry",), (28, 91, 364)),
    "complaints": (("complaint",), (28, 91, 364)),
    "returns": (("return",), (91, 364)),
    "payments": (("payment",), (91,)),
    "late_payments": (("late_payment",), (91, 364)),
    "visits": (("visit",), (91,)),
    "ends": (("end",), (364,)),
    "offers_presented": (("offer_presented",), (28, 91, 364)),
    "offers_accepted": (("offer_accepted",), (91, 364)),
    "offers_interested": (("offer_interested",), (91,)),
    "offers_returned": (("offer_returned",), (364,)),
    "offers_declined": (("offer_declined",), (28, 91)),
}
# The days since the last event of some kinds.
SINCE: dict[str, tuple[str, ...]] = {
    "coupon": ("coupon",),
    "campaign": ("campaign",),
    "inquiry": ("inquiry",),
    "contact": TOUCH,
    "complaint": ("complaint",),
    "return": ("return",),
    "late_payment": ("late_payment",),
    "visit": ("visit",),
    "accepted": ("offer_accepted",),
    "declined": ("offer_declined",),
}
BY_CHANNEL = ("phone", "web", "app", "email", "chat", "store")
# Of purchases: sums of a column, in ten-thousandths, and different values of a column, each in some windows.
PURCHASES = (28, 91, 119, 364)
SPEND = (14, 28, 56, 91, 182, 364)
FULL_SPEND = (28, 91, 119, 182, 364)
MARGIN = (91, 364)
DAYS = (7, 14, 28, 56, 70, 91, 182, 364)
BASKETS = (28, 91)
BREADTH = {
    "products": ("product", (91,)),
    "types": ("type", (91,)),
    "categories": ("category", (28, 91)),
    "departments": ("department", (28, 91)),
    "places": ("place", (91,)),
    "channels": ("channel", (91,)),
}
DECAYED_LINES = (14, 56, 182)
DECAYED_SPEND = (28, 91)
STREAKS = {"purchase_weeks_running": 7, "purchase_months_running": 28}
ATTRIBUTES = ("age", "income", "household_size", "kids_count", "home_ownership", "marital_status")
DIFFERENCES = {
    "buying_days": ("tenure_days", "days_since_purchase"),
    "spend_56_before": ("spend_56", "spend_28"),
    "days_beyond_long_gap": ("days_since_purchase", "gap_long_days"),
}
# One column against another, unknown where that isn't above zero; later ones rest on earlier ones.
RATIOS = {
    "recency_share": ("buying_days", "tenure_days"),
    "lines_per_basket_91": ("purchases_91", "baskets_91"),
    "spend_per_basket_91": ("spend_91", "baskets_91"),
    "last_basket_against_usual": ("spend_last_basket", "spend_per_basket_91"),
    "margin_share_364": ("margin_364", "spend_364"),
    "spend_per_purchase_day_364": ("spend_364", "purchase_days_364"),
    "gap_mean_days": ("span_days", "gaps"),
    "gap_variation": ("gap_spread_days", "gap_mean_days"),
    "overdue": ("days_since_purchase", "gap_mean_days"),
    "overdue_long": ("days_since_purchase", "gap_long_days"),
    "morning_share_364": ("mornings_364", "purchases_364"),
    "evening_share_364": ("evenings_364", "purchases_364"),
    "weekend_share_364": ("weekends_364", "purchases_364"),
    "variety_91": ("products_91", "purchases_91"),
    "discount_share_91": ("discount_91", "listed_91"),
    "discounted_lines_91": ("discounted_91", "purchases_91"),
    "contacts_phone_share_91": ("contacts_phone_91", "contacts_91"),
    "contacts_per_purchase_day_364": ("contacts_364", "purchase_days_364"),
    "complaint_share_364": ("complaints_364", "contacts_364"),
    "return_share_364": ("returns_364", "purchases_364"),
    "offer_acceptance_364": ("offers_accepted_364", "offers_presented_364"),
}
# The pace of a recent window against that of the rest of a longer one.
TRENDS = {
    "spend_trend": ("full_spend", 28, 119),
    "purchases_trend": ("purchases", 28, 119),
    "purchase_days_trend": ("purchase_days", 14, 70),
    "long_trend": ("full_spend", 182, 364),
}
