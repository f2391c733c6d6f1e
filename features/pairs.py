"""What is measured of a customer and an item together: one declaration each, with its sentence in both languages."""

from dataclasses import dataclass

from features.feature import Unit


@dataclass(frozen=True, slots=True)
class PairFeature:
    """A number known of a customer and an item at a moment; unknown is NaN.

    `en` and `ko` are its business sentence, with `{value}` where the number goes.
    """

    name: str
    unit: Unit
    en: str
    ko: str


PAIRS: tuple[PairFeature, ...] = (
    PairFeature(
        "item_days_91",
        "count",
        "Days in the last 91 on which it was bought: {value}",
        "최근 91일간 이 품목을 구매한 날의 수: {value}",
    ),
    PairFeature("item_days", "count", "Days on which it was bought: {value}", "이 품목을 구매한 날의 수: {value}"),
    *(
        PairFeature(
            f"item_decayed_{days}",
            "ratio",
            f"Days on which it was bought, halved in weight every {days} days: {{value}}",
            f"{days}일마다 가중치가 반감되는 이 품목의 구매일 수: {{value}}",
        )
        for days in (28, 91)
    ),
    PairFeature(
        "item_share_91",
        "share",
        "Share of the last 91 days' purchase days with it: {value}",
        "최근 91일 구매일 중 이 품목을 구매한 날의 비율: {value}",
    ),
    PairFeature(
        "item_share",
        "share",
        "Share of all purchase days with it: {value}",
        "전체 구매일 중 이 품목을 구매한 날의 비율: {value}",
    ),
    PairFeature(
        "item_share_since_first",
        "share",
        "Share of the purchase days since the first with it on which it was bought: {value}",
        "이 품목을 처음 구매한 뒤의 구매일 중 이 품목을 구매한 날의 비율: {value}",
    ),
    PairFeature(
        "item_baskets_since",
        "count",
        "Purchase days since it was bought: {value}",
        "이 품목의 마지막 구매 후 구매일 수: {value}",
    ),
    PairFeature(
        "item_days_since", "days", "Days since it was bought: {value}", "이 품목의 마지막 구매 후 일수: {value}"
    ),
    PairFeature(
        "item_gap_mean", "days", "Usual days between buying it: {value}", "이 품목의 평균 구매 간격(일): {value}"
    ),
    PairFeature(
        "item_overdue",
        "ratio",
        "Time since it was bought, against the usual: {value}",
        "평균 구매 간격 대비 마지막 구매 후 경과: {value}",
    ),
    PairFeature(
        "item_basket_share_91",
        "share",
        "Its share of the spend of the last 91 days: {value}",
        "최근 91일 구매액 중 이 품목의 비율: {value}",
    ),
    PairFeature(
        "group_decayed_28",
        "ratio",
        "Purchases of items of its group, halved in weight every 28 days: {value}",
        "28일마다 가중치가 반감되는 같은 분류 품목의 구매 수: {value}",
    ),
    PairFeature(
        "group_days_since",
        "days",
        "Days since an item of its group was bought: {value}",
        "같은 분류 품목의 마지막 구매 후 일수: {value}",
    ),
    PairFeature(
        "item_popularity",
        "share",
        "Share of customers who bought it in the last 28 days: {value}",
        "최근 28일간 이 품목을 구매한 고객의 비율: {value}",
    ),
    *(
        PairFeature(
            f"item_popularity_{days}",
            "share",
            f"Share of the customers of the last {days} days who bought it: {{value}}",
            f"최근 {days}일간의 구매 고객 중 이 품목을 구매한 고객의 비율: {{value}}",
        )
        for days in (7, 2)
    ),
    PairFeature(
        "item_popularity_1",
        "share",
        "Share of the customers of the last day who bought it: {value}",
        "최근 하루의 구매 고객 중 이 품목을 구매한 고객의 비율: {value}",
    ),
    PairFeature(
        "item_popularity_trend",
        "ratio",
        "Its purchases in the last 28 days, against the pace of 91: {value}",
        "91일 추세 대비 최근 28일의 이 품목 구매: {value}",
    ),
    PairFeature(
        "item_repeat_rate",
        "share",
        "Share of its buyers who bought it again: {value}",
        "이 품목을 다시 구매한 고객의 비율: {value}",
    ),
    PairFeature(
        "item_similarity",
        "share",
        "Likeness to what was bought in the last 91 days, by who buys both: {value}",
        "최근 91일간 구매한 품목과의 유사도(함께 구매하는 고객 기준): {value}",
    ),
    PairFeature(
        "item_together",
        "share",
        "How often it goes with what was bought last, on one day: {value}",
        "마지막으로 구매한 품목과 같은 날 함께 구매되는 비율: {value}",
    ),
    *(
        PairFeature(
            f"own_days_{days}",
            "count",
            f"Days of purchase in the last {days}: {{value}}",
            f"최근 {days}일간 구매한 날의 수: {{value}}",
        )
        for days in (28, 91)
    ),
    PairFeature("own_days_since", "days", "Days since the last purchase: {value}", "마지막 구매 후 일수: {value}"),
    PairFeature(
        "own_basket_size",
        "ratio",
        "Items on one purchase day in the last 91 days: {value}",
        "최근 91일간 구매일당 품목 수: {value}",
    ),
    PairFeature(
        "own_variety",
        "share",
        "Share of purchases that were of an item not bought before: {value}",
        "전체 구매 중 처음 산 품목의 비율: {value}",
    ),
)
PAIR_FEATURES: tuple[str, ...] = tuple(pair.name for pair in PAIRS)
