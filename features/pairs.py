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
    *(
        PairFeature(
            f"item_days_{days}",
            "count",
            f"Days in the last {days} on which it was bought: {{value}}",
            f"최근 {days}일간 이 품목을 구매한 날의 수: {{value}}",
        )
        for days in (28, 91)
    ),
    PairFeature("item_days", "count", "Days on which it was bought: {value}", "이 품목을 구매한 날의 수: {value}"),
    *(
        PairFeature(
            f"item_decayed_{days}",
            "ratio",
            f"Days on which it was bought, halved in weight every {days} days: {{value}}",
            f"{days}일마다 가중치가 반감되는 이 품목의 구매일 수: {{value}}",
        )
        for days in (14, 28, 91)
    ),
    PairFeature(
        "item_days_since", "days", "Days since it was bought: {value}", "이 품목의 마지막 구매 후 일수: {value}"
    ),
    PairFeature(
        "item_gap_mean", "days", "Usual days between buying it: {value}", "이 품목의 평균 구매 간격(일): {value}"
    ),
    PairFeature(
        "item_gap_spread",
        "days",
        "Spread of the days between buying it: {value}",
        "이 품목 구매 간격의 표준편차(일): {value}",
    ),
    PairFeature(
        "item_overdue",
        "ratio",
        "Time since it was bought, against the usual: {value}",
        "평균 구매 간격 대비 마지막 구매 후 경과: {value}",
    ),
    PairFeature(
        "item_share_91",
        "share",
        "Share of the last 91 days' purchase days with it: {value}",
        "최근 91일 구매일 중 이 품목을 구매한 날의 비율: {value}",
    ),
    PairFeature(
        "item_basket_share_91",
        "share",
        "Its share of the spend of the last 91 days: {value}",
        "최근 91일 구매액 중 이 품목의 비율: {value}",
    ),
    PairFeature(
        "item_popularity",
        "share",
        "Share of customers who bought it in the last 28 days: {value}",
        "최근 28일간 이 품목을 구매한 고객의 비율: {value}",
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
)
PAIR_FEATURES: tuple[str, ...] = tuple(pair.name for pair in PAIRS)
