-- Money and units are whole ten-thousandths: sums are exact, and divided last. A share of nothing, or of less, is
-- unknown.
WITH marked AS (
    SELECT *, MAX(moment) FILTER (WHERE kind = 'purchase') OVER (PARTITION BY customer) AS last_purchase_at
    FROM past
),
sums AS (
    SELECT
        customer,
        COALESCE(SUM(amount) FILTER (WHERE kind = 'purchase' AND moment >= as_of - INTERVAL 14 DAYS), 0) AS amount_14,
        COALESCE(SUM(amount) FILTER (WHERE kind = 'purchase' AND moment >= as_of - INTERVAL 28 DAYS), 0) AS amount_28,
        COALESCE(SUM(amount) FILTER (WHERE kind = 'purchase' AND moment >= as_of - INTERVAL 56 DAYS), 0) AS amount_56,
        COALESCE(SUM(amount) FILTER (WHERE kind = 'purchase' AND moment >= as_of - INTERVAL 91 DAYS), 0) AS amount_91,
        COALESCE(SUM(amount) FILTER (WHERE kind = 'purchase' AND moment >= as_of - INTERVAL 182 DAYS), 0) AS amount_182,
        COALESCE(SUM(amount) FILTER (WHERE kind = 'purchase' AND moment >= as_of - INTERVAL 364 DAYS), 0) AS amount_364,
        COALESCE(SUM(amount) FILTER (WHERE kind = 'purchase'), 0) AS amount,
        COALESCE(SUM(amount) FILTER (WHERE kind = 'purchase' AND moment >= as_of - INTERVAL 56 DAYS
                                     AND moment < as_of - INTERVAL 28 DAYS), 0) AS amount_from_56_to_28,
        COALESCE(SUM(margin) FILTER (WHERE kind = 'purchase' AND moment >= as_of - INTERVAL 91 DAYS), 0) AS earned_91,
        COALESCE(SUM(margin) FILTER (WHERE kind = 'purchase' AND moment >= as_of - INTERVAL 364 DAYS), 0) AS earned_364,
        COALESCE(SUM(quantity) FILTER (WHERE kind = 'purchase' AND moment >= as_of - INTERVAL 91 DAYS), 0)
            AS quantity_91,
        COALESCE(SUM(amount * POW(0.5, age_days / 28)) FILTER (WHERE kind = 'purchase' AND amount > 0), 0) AS faded_28,
        COALESCE(SUM(amount * POW(0.5, age_days / 91)) FILTER (WHERE kind = 'purchase' AND amount > 0), 0) AS faded_91,
        SUM(amount) FILTER (WHERE kind = 'purchase' AND moment = last_purchase_at) AS last_basket,
        MAX(amount) FILTER (WHERE kind = 'purchase' AND moment >= as_of - INTERVAL 364 DAYS) AS dearest_364,
        MIN(amount) FILTER (WHERE kind = 'purchase' AND moment >= as_of - INTERVAL 364 DAYS) AS cheapest_364,
        COUNT(DISTINCT moment) FILTER (WHERE kind = 'purchase' AND moment >= as_of - INTERVAL 91 DAYS) AS moments_91,
        COUNT(DISTINCT day) FILTER (WHERE kind = 'purchase' AND moment >= as_of - INTERVAL 364 DAYS) AS days_364
    FROM marked
    GROUP BY customer
)
SELECT
    customer,
    amount_14 / 10000 AS spend_14,
    amount_28 / 10000 AS spend_28,
    amount_56 / 10000 AS spend_56,
    amount_91 / 10000 AS spend_91,
    amount_182 / 10000 AS spend_182,
    amount_364 / 10000 AS spend_364,
    amount / 10000 AS spend,
    earned_91 / 10000 AS margin_91,
    earned_364 / 10000 AS margin_364,
    faded_28 / 10000 AS spend_decayed_28,
    faded_91 / 10000 AS spend_decayed_91,
    CASE WHEN moments_91 > 0 THEN amount_91 / (10000 * moments_91) END AS spend_per_basket_91,
    quantity_91 / 10000 AS units_91,
    last_basket / 10000 AS spend_last_basket,
    CASE WHEN amount_91 > 0 THEN last_basket * moments_91 / amount_91 END AS last_basket_against_usual,
    dearest_364 / 10000 AS spend_largest_line_364,
    cheapest_364 / 10000 AS spend_smallest_line_364,
    CASE WHEN amount_364 > 0 THEN earned_364 / amount_364 END AS margin_share_364,
    amount_from_56_to_28 / 10000 AS spend_56_before,
    CASE WHEN days_364 > 0 THEN amount_364 / (10000 * days_364) END AS spend_per_purchase_day_364
FROM sums
