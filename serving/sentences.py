"""What Holdfast itself says to an agent, in every language; the playbook says the rest."""

from collections.abc import Mapping

CHANNEL = {"en": "Not offered over this channel.", "ko": "이 채널에서는 제안하지 않습니다."}
NOT_YET = {"en": "Not offered before {day}.", "ko": "{day}부터 제안할 수 있습니다."}
ENDED = {"en": "Offered until {day} only.", "ko": "{day}에 종료된 제안입니다."}
NO_NEXT = {"en": "No next purchase is predicted.", "ko": "예측된 다음 구매가 없습니다."}
NO_RISK = {
    "en": "The risk of leaving is unknown, so what this would bring can't be counted.",
    "ko": "이탈 위험을 알 수 없어 기대 효과를 계산할 수 없습니다.",
}
RANKED = {
    "en": "Ranks only: the probability or the amount that this needs isn't known.",
    "ko": "순위만 제공됩니다. 이 판단에 필요한 확률이나 금액을 알 수 없습니다.",
}
RANKS_ONLY = {
    "churn": {
        "en": "Ranks only: too few customers have left or come back so far to tell the probability of leaving.",
        "ko": "순위만 제공됩니다. 지금까지 이탈했거나 돌아온 고객이 너무 적어 이탈 확률을 알 수 없습니다.",
    },
    "value": {
        "en": "Ranks only: no amounts are known from which to tell the expected value.",
        "ko": "순위만 제공됩니다. 금액이 알려지지 않아 예상 가치를 알 수 없습니다.",
    },
}
NOT_KNOWN = {
    "en": "Not enough is known of this customer.",
    "ko": "이 고객에 대해 알려진 정보가 부족합니다.",
}
COSTS_MORE = {"en": "Costs more than it brings.", "ko": "기대 이익보다 비용이 더 큽니다."}
SAME_ITEM = {"en": "Another offer of the same item ranks higher.", "ko": "같은 품목의 다른 제안이 더 높은 순위입니다."}
SILENCE_RULES = {
    "en": "No offer: the rules let none of {count} offers through.",
    "ko": "제안 없음: {count}개 제안 중 규칙을 통과한 것이 없습니다.",
}
SILENCE_PROFIT = {
    "en": "No offer: of {count} offers that pass the rules, each costs more than it brings.",
    "ko": "제안 없음: 규칙을 통과한 {count}개 제안 모두 기대 이익보다 비용이 더 큽니다.",
}
STRANGER = {
    "en": "Nobody is known by this reference yet: stated defaults stand in for a history.",
    "ko": "이 식별자로 등록된 고객이 없어 정해진 기본값을 사용합니다.",
}
NO_HISTORY = {
    "en": "Nothing is known of this customer's purchases yet: stated defaults stand in.",
    "ko": "아직 구매 이력이 없어 정해진 기본값을 사용합니다.",
}
VISIT = {
    "en": "Predicted value {value} {currency} over {days} days; risk of leaving {risk}.",
    "ko": "향후 {days}일 예상 가치 {value} {currency}, 이탈 위험 {risk}.",
}
VISIT_RANKED = {
    "en": "Worth more than {value} of customers (ranks only); risk of leaving {risk}.",
    "ko": "예상 가치가 고객 {value}보다 높음(순위만 제공), 이탈 위험 {risk}.",
}
UNKNOWN_RISK = {"en": "unknown", "ko": "알 수 없음"}
RANKED_RISK = {
    "en": "higher than that of {rank} of active customers (ranks only)",
    "ko": "활성 고객 {rank}보다 높음(순위만 제공)",
}


def say(sentence: Mapping[str, str], language: str, **details: object) -> str:
    """Say a sentence in a language, with its details filled in.

    >>> say(NOT_YET, "en", day="2018-03-01")
    'Not offered before 2018-03-01.'
    """
    return sentence[language].format(**details) if details else sentence[language]
