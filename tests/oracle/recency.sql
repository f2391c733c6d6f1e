SELECT
    customer,
    MIN(age_days) FILTER (WHERE kind = 'purchase') AS days_since_purchase,
    MAX(age_days) FILTER (WHERE kind = 'purchase') AS tenure_days,
    date_diff('microsecond', MIN(moment) FILTER (WHERE kind = 'purchase'), MAX(moment) FILTER (WHERE kind = 'purchase'))
        / date_diff('microsecond', MIN(moment) FILTER (WHERE kind = 'purchase'), as_of) AS recency_share,
    date_diff('microsecond', MIN(moment) FILTER (WHERE kind = 'purchase'), MAX(moment) FILTER (WHERE kind = 'purchase'))
        / 86400e6 AS buying_days
FROM past
GROUP BY customer, as_of
