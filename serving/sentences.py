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
LEFT_ALONE = {
    "en": "No offer: this customer is one of those who are left alone, so that what offers change can be measured.",
    "ko": "제안 없음: 제안의 효과를 측정하기 위한 비교 그룹에 속한 고객입니다.",
}
DRAWN_SILENCE = {
    "en": "No offer: nothing was drawn by lot this time, so that what offers change can be measured.",
    "ko": "제안 없음: 제안의 효과를 측정하기 위해 이번에는 무작위로 제안하지 않습니다.",
}
# What an agent hears instead, whether it is money that kept an offer back, or the lot.
NO_OFFER = {"en": "No offer this time.", "ko": "이번에는 제안이 없습니다."}
NOT_NOW = {"en": "Not offered this time.", "ko": "이번에는 제안하지 않습니다."}
STRANGER = {
    "en": "Nobody is known by this reference yet: stated defaults stand in for a history.",
    "ko": "이 식별자로 등록된 고객이 없어 정해진 기본값을 사용합니다.",
}
NO_HISTORY = {
    "en": "Nothing is known of this customer's purchases yet: stated defaults stand in.",
    "ko": "아직 구매 이력이 없어 정해진 기본값을 사용합니다.",
}
DEGRADED = {
    "store": {
        "en": "The store can't be reached in time: who this is isn't known, and nothing that counts against a limit may"
        " be offered. Serve the customer as they ask, and ask again later.",
        "ko": "저장소에 제때 연결할 수 없어 고객 정보를 알 수 없으며, 접촉 한도에 포함되는 제안은 할 수 없습니다."
        " 고객의 요청대로 응대하고 나중에 다시 요청해 주세요.",
    },
    "model": {
        "en": "The models don't answer: risk and value aren't known, and only what the customer is owed is offered.",
        "ko": "모델이 응답하지 않아 이탈 위험과 가치를 알 수 없으며, 고객에게 약속된 것만 제안합니다.",
    },
    "service": {
        "en": "The service has too much to do: nothing could be decided in time. Serve the customer as they ask, and"
        " ask again later.",
        "ko": "서비스가 혼잡하여 제때 결정하지 못했습니다. 고객의 요청대로 응대하고 나중에 다시 요청해 주세요.",
    },
}
NOTHING_OWED = {
    "en": "No offer: for now only what a customer is owed is offered, and nothing is known to be.",
    "ko": "제안 없음: 지금은 고객에게 약속된 것만 제안하며, 확인된 것이 없습니다.",
}
NOT_LOOKED_UP = {"en": "The customer couldn't be looked up.", "ko": "고객을 조회하지 못했습니다."}
UNSCORED = {"en": "Risk and value aren't known.", "ko": "이탈 위험과 가치를 알 수 없습니다."}
OBJECTED = {
    "en": "This customer asked not to be profiled: stated defaults stand in.",
    "ko": "고객이 프로파일링을 거부하여 정해진 기본값을 사용합니다.",
}
VISIT = {
    "en": "Predicted value {value} {currency} over {days} days; risk of leaving {risk}.",
    "ko": "향후 {days}일 예상 가치 {value} {currency}, 이탈 위험 {risk}.",
}
VISIT_RANKED = {
    "en": "Worth more than {value} of customers (ranks only); risk of leaving {risk}.",
    "ko": "예상 가치가 고객 {value}보다 높음(순위만 제공), 이탈 위험 {risk}.",
}
VISIT_CLASS = {"en": "{title}.", "ko": "{title}."}
OVERDUE = {"en": "The promised time has passed.", "ko": "약속한 시간이 지났습니다."}
VISIT_COST = {
    "en": "An hour more of waiting is expected to cost {cost} {currency}.",
    "ko": "1시간 더 기다릴 때 예상되는 손실은 {cost} {currency}입니다.",
}
UNKNOWN_RISK = {"en": "unknown", "ko": "알 수 없음"}
RANKED_RISK = {
    "en": "higher than that of {rank} of active customers (ranks only)",
    "ko": "활성 고객 {rank}보다 높음(순위만 제공)",
}

FLIP = {"en": "Its rules would let it through with {changes}.", "ko": "다음과 같으면 규칙을 통과합니다: {changes}."}
NOW = {"en": "{said} (now {now})", "ko": "{said} (현재 {now})"}
YES_NO = {"en": ("yes", "no"), "ko": ("예", "아니요")}
WORDS = {
    "churn.risk": {"en": "Risk of leaving", "ko": "이탈 위험"},
    "churn.rank": {"en": "Rank by risk of leaving", "ko": "이탈 위험 순위"},
    "value.expected": {"en": "Expected value", "ko": "예상 가치"},
    "value.low": {"en": "Expected value at least", "ko": "예상 가치 하한"},
    "value.high": {"en": "Expected value at most", "ko": "예상 가치 상한"},
    "value.rank": {"en": "Rank by value", "ko": "가치 순위"},
    "value.tier": {"en": "Tier", "ko": "등급"},
    "channel": {"en": "Channel", "ko": "채널"},
    "offer.days_since_presented": {"en": "Days since it was last proposed", "ko": "마지막 제안 후 지난 일수"},
    "offer.days_since_accepted": {"en": "Days since it was last accepted", "ko": "마지막 수락 후 지난 일수"},
    "offer.days_since_declined": {"en": "Days since it was last declined", "ko": "마지막 거절 후 지난 일수"},
}
FLIP_CHANNEL = {"en": "Offered over {channels}.", "ko": "다음 채널에서 제안합니다: {channels}."}
FLIP_DAY = {"en": "Offered from {day} on.", "ko": "{day}부터 제안합니다."}
FLIP_MOMENT = {"en": "Possible again from {moment}, local time.", "ko": "현지 시각 {moment}부터 다시 가능합니다."}
FLIP_CONSENT = {"en": "With the customer's yes over {channel}.", "ko": "{channel} 채널 수신에 동의하면 가능합니다."}
FLIP_MONEY = {
    "en": "It brings {lacking} {currency} too little; it would pay at an incentive of at most {incentive}.",
    "ko": "기대 이익이 {lacking} {currency} 부족합니다. 혜택 비용이 {incentive} 이하이면 이익이 됩니다.",
}
FLIP_MONEY_ALONE = {
    "en": "It brings {lacking} {currency} too little, even without an incentive.",
    "ko": "혜택 비용이 없어도 기대 이익이 {lacking} {currency} 부족합니다.",
}
FLIP_ITEM = {"en": "It would come if {offer} didn't.", "ko": "{offer} 제안이 없으면 제안합니다."}
SHARED_ROOM = {
    "en": "Higher offers of this decision take what the contact policy leaves.",
    "ko": "이 결정의 상위 제안이 남은 접촉 한도를 사용합니다.",
}

# The parts of an offer's priority.
PARTS = {
    "bought": {
        "en": "Bought within the horizon by {anyway} of such customers anyway, by {offered} with the offer; worth"
        " {value} {currency} each.",
        "ko": "제안 없이 {anyway}, 제안하면 {offered}가 기간 안에 구매합니다. 건당 {value} {currency}의 이익입니다.",
    },
    "kept": {
        "en": "Of 100 such customers it keeps {kept} who would have left; each is worth {value} {currency} over"
        " {horizons} horizons.",
        "ko": "이런 고객 100명 중 {kept}명의 이탈을 막습니다."
        " 1명당 {horizons}개 기간의 가치는 {value} {currency}입니다.",
    },
    "staying": {
        "en": "Of 1,000 such customers who are offered it, {staying} stay; each is worth {stay_value} {currency}.",
        "ko": "제안받은 고객 1,000명당 {staying}명이 더 유지됩니다. 1명당 가치는 {stay_value} {currency}입니다.",
    },
    "incentive": {
        "en": "{taken} take it, at {incentive} {currency} each.",
        "ko": "{taken}가 수락하며 건당 비용은 {incentive} {currency}입니다.",
    },
    "credit_loss": {
        "en": "Part of what is lent to those who take it is lost.",
        "ko": "수락한 고객에게 제공한 신용 일부가 손실됩니다.",
    },
    "attention": {"en": "The price of asking for attention.", "ko": "고객의 주의를 요청하는 비용입니다."},
    "context_weight": {"en": "Weighted {weight}: {why}", "ko": "가중치 {weight}: {why}"},
    "lever": {"en": "Weighted {lever} by the business: {reason}", "ko": "사업 조정 {lever}: {reason}"},
}

VERDICTS = {
    "chase": {
        "en": "{effort} is expected to bring {profit} {currency}.",
        "ko": "{effort} 제안으로 {profit} {currency}의 이익이 기대됩니다.",
    },
    "not_now": {
        "en": "{effort} would bring {profit} {currency}, but: {stop}",
        "ko": "{effort} 제안은 {profit} {currency}의 이익이 기대되지만 다음 이유로 제외됩니다: {stop}",
    },
    "not_worth": {
        "en": "Every effort costs more than it brings; the best, {effort}, comes to {profit} {currency}.",
        "ko": "어떤 유지 노력도 비용이 더 큽니다. 가장 나은 {effort}도 {profit} {currency}입니다.",
    },
    "no_effort": {"en": "The playbook has nothing to keep anybody with.", "ko": "플레이북에 유지 제안이 없습니다."},
}

ROUTE = {
    "en": "{title}, with a head start of {seconds} seconds: {reasons} Nobody who comes more than {most} seconds after"
    " the virtual arrival goes first.",
    "ko": "{title} 연결, {seconds}초 먼저 온 것으로 봅니다: {reasons}"
    " 이 시각보다 {most}초 넘게 늦게 온 고객은 앞서지 않습니다.",
}
ROUTE_PLAIN = {
    "en": "{title}, in the order of arrival. Nobody who comes more than {most} seconds later goes first.",
    "ko": "{title} 연결, 도착 순서대로 응대합니다. {most}초 넘게 늦게 온 고객은 앞서지 않습니다.",
}


def stand_in(known: bool, objected: bool) -> Mapping[str, str]:
    """Say why stated defaults stand in for the scores of somebody who is known, or isn't."""
    return STRANGER if not known else OBJECTED if objected else NO_HISTORY


def say(sentence: Mapping[str, str], language: str, **details: object) -> str:
    """Say a sentence in a language, with its details filled in.

    >>> say(NOT_YET, "en", day="2018-03-01")
    'Not offered before 2018-03-01.'
    """
    return sentence[language].format(**details) if details else sentence[language]


def filled(sentence: Mapping[str, str], **details: object) -> dict[str, str]:
    """Fill a sentence's details in, in every language."""
    return {language: text.format(**details) for language, text in sentence.items()}
