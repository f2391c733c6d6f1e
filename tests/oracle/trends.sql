-- What a day of the recent window brought, against a day of the window before it; unknown where that one brought
-- nothing. Spend is of lines above zero. A day with purchases on both sides of an edge is a day of the newer side.
WITH purchase_days AS (
    SELECT customer, as_of, day, MAX(moment) AS newest_moment
    FROM past
    WHERE kind = 'purchase'
    GROUP BY customer, as_of, day
),
days AS (
    SELECT
        customer,
        COUNT(*) FILTER (WHERE newest_moment >= as_of - INTERVAL 14 DAYS) AS days_recent,
        COUNT(*) FILTER (WHERE newest_moment >= as_of - INTERVAL 70 DAYS AND newest_moment < as_of - INTERVAL 14 DAYS)
            AS days_before
    FROM purchase_days
    GROUP BY customer
),
sums AS (
    SELECT
        customer,
        COALESCE(SUM(amount) FILTER (WHERE kind = 'purchase' AND amount > 0 AND moment >= as_of - INTERVAL 28 DAYS), 0)
            AS spend_recent,
        SUM(amount) FILTER (WHERE kind = 'purchase' AND amount > 0 AND moment >= as_of - INTERVAL 119 DAYS
                            AND moment < as_of - INTERVAL 28 DAYS) AS spend_before,
        COUNT(*) FILTER (WHERE kind = 'purchase' AND moment >= as_of - INTERVAL 28 DAYS) AS lines_recent,
        COUNT(*) FILTER (WHERE kind = 'purchase' AND moment >= as_of - INTERVAL 119 DAYS
                         AND moment < as_of - INTERVAL 28 DAYS) AS lines_before,
        COALESCE(SUM(amount) FILTER (WHERE kind = 'purchase' AND amount > 0 AND moment >= as_of - INTERVAL 182 DAYS), 0)
            AS spend_half_year,
        SUM(amount) FILTER (WHERE kind = 'purchase' AND amount > 0 AND moment >= as_of - INTERVAL 364 DAYS
                            AND moment < as_of - INTERVAL 182 DAYS) AS spend_half_year_before
    FROM past
    GROUP BY customer
)
SELECT
    customer,
    (spend_recent / 28) / (NULLIF(spend_before, 0) / 91) AS spend_trend,
    (lines_recent / 28) / (NULLIF(lines_before, 0) / 91) AS purchases_trend,
    (days_recent / 14) / (NULLIF(days_before, 0) / 56) AS purchase_days_trend,
    spend_half_year / NULLIF(spend_half_year_before, 0) AS long_trend
FROM sums
LEFT JOIN days USING (customer)
