-- A basket is all that was bought at one moment.
SELECT
    customer,
    COUNT(DISTINCT day) FILTER (WHERE kind = 'purchase' AND moment >= as_of - INTERVAL 7 DAYS) AS purchase_days_7,
    COUNT(DISTINCT day) FILTER (WHERE kind = 'purchase' AND moment >= as_of - INTERVAL 14 DAYS) AS purchase_days_14,
    COUNT(DISTINCT day) FILTER (WHERE kind = 'purchase' AND moment >= as_of - INTERVAL 28 DAYS) AS purchase_days_28,
    COUNT(DISTINCT day) FILTER (WHERE kind = 'purchase' AND moment >= as_of - INTERVAL 56 DAYS) AS purchase_days_56,
    COUNT(DISTINCT day) FILTER (WHERE kind = 'purchase' AND moment >= as_of - INTERVAL 91 DAYS) AS purchase_days_91,
    COUNT(DISTINCT day) FILTER (WHERE kind = 'purchase' AND moment >= as_of - INTERVAL 182 DAYS) AS purchase_days_182,
    COUNT(DISTINCT day) FILTER (WHERE kind = 'purchase' AND moment >= as_of - INTERVAL 364 DAYS) AS purchase_days_364,
    COUNT(DISTINCT day) FILTER (WHERE kind = 'purchase') AS purchase_days,
    COUNT(DISTINCT moment) FILTER (WHERE kind = 'purchase' AND moment >= as_of - INTERVAL 28 DAYS) AS baskets_28,
    COUNT(DISTINCT moment) FILTER (WHERE kind = 'purchase' AND moment >= as_of - INTERVAL 91 DAYS) AS baskets_91,
    COUNT(*) FILTER (WHERE kind = 'purchase' AND moment >= as_of - INTERVAL 28 DAYS) AS purchases_28,
    COUNT(*) FILTER (WHERE kind = 'purchase' AND moment >= as_of - INTERVAL 91 DAYS) AS purchases_91,
    COUNT(*) FILTER (WHERE kind = 'purchase' AND moment >= as_of - INTERVAL 364 DAYS) AS purchases_364,
    COALESCE(SUM(POW(0.5, age_days / 14)) FILTER (WHERE kind = 'purchase'), 0) AS purchases_decayed_14,
    COALESCE(SUM(POW(0.5, age_days / 56)) FILTER (WHERE kind = 'purchase'), 0) AS purchases_decayed_56,
    COALESCE(SUM(POW(0.5, age_days / 182)) FILTER (WHERE kind = 'purchase'), 0) AS purchases_decayed_182,
    COUNT(*) FILTER (WHERE kind = 'purchase' AND moment >= as_of - INTERVAL 91 DAYS)
        / NULLIF(COUNT(DISTINCT moment) FILTER (WHERE kind = 'purchase' AND moment >= as_of - INTERVAL 91 DAYS), 0)
        AS lines_per_basket_91
FROM past
GROUP BY customer
