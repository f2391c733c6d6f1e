-- ISO weekdays: Monday is 1, Sunday 7. The usual hour is where the hours point to together, each the arrow of its middle on a dial of
-- 24, in whole thousand-millionths; there is none where they cancel out.
WITH clock AS (
    SELECT
        *,
        EXTRACT(hour FROM local_moment) AS hour,
        EXTRACT(isodow FROM local_moment) AS weekday,
        ROUND(COS((hour + 0.5) * PI() / 12) * 1e9)::BIGINT AS up,
        ROUND(SIN((hour + 0.5) * PI() / 12) * 1e9)::BIGINT AS aside
    FROM past
),
sums AS (
    SELECT
        customer,
        COUNT(*) FILTER (WHERE kind = 'purchase' AND moment >= as_of - INTERVAL 364 DAYS) AS purchases,
        COUNT(*) FILTER (WHERE kind = 'purchase' AND moment >= as_of - INTERVAL 364 DAYS AND hour < 12) AS before_noon,
        COUNT(*) FILTER (WHERE kind = 'purchase' AND moment >= as_of - INTERVAL 364 DAYS AND hour >= 18) AS after_six,
        COUNT(*) FILTER (WHERE kind = 'purchase' AND moment >= as_of - INTERVAL 364 DAYS AND weekday IN (6, 7))
            AS weekend,
        SUM(up) FILTER (WHERE kind = 'purchase' AND moment >= as_of - INTERVAL 364 DAYS) AS bought_up,
        SUM(aside) FILTER (WHERE kind = 'purchase' AND moment >= as_of - INTERVAL 364 DAYS) AS bought_aside,
        SUM(up) FILTER (WHERE kind IN ('contact', 'inquiry', 'complaint') AND moment >= as_of - INTERVAL 364 DAYS)
            AS touched_up,
        SUM(aside) FILTER (WHERE kind IN ('contact', 'inquiry', 'complaint') AND moment >= as_of - INTERVAL 364 DAYS)
            AS touched_aside,
        COUNT(*) FILTER (WHERE kind IN ('contact', 'inquiry', 'complaint') AND moment >= as_of - INTERVAL 91 DAYS
                         AND hour BETWEEN 9 AND 17 AND weekday BETWEEN 1 AND 5) AS in_office_hours
    FROM clock
    GROUP BY customer
)
SELECT
    customer,
    before_noon / NULLIF(purchases, 0) AS morning_share_364,
    after_six / NULLIF(purchases, 0) AS evening_share_364,
    weekend / NULLIF(purchases, 0) AS weekend_share_364,
    CASE WHEN POW(bought_up, 2) + POW(bought_aside, 2) > 1
         THEN ATAN2(bought_aside, bought_up) * 12 / PI() + IF(bought_aside < 0, 24, 0) END AS purchase_hour_364,
    CASE WHEN POW(touched_up, 2) + POW(touched_aside, 2) > 1
         THEN ATAN2(touched_aside, touched_up) * 12 / PI() + IF(touched_aside < 0, 24, 0) END AS contact_hour_364,
    in_office_hours AS office_contacts_91
FROM sums
