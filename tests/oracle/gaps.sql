-- A gap is the number of days from one purchase day to the next.
WITH days AS (
    SELECT DISTINCT customer, day FROM past WHERE kind = 'purchase'
),
gaps AS (
    SELECT customer, day - LAG(day) OVER (PARTITION BY customer ORDER BY day) AS gap FROM days
),
rhythm AS (
    SELECT
        customer,
        AVG(gap) AS mean,
        STDDEV_SAMP(gap) AS spread,
        MAX(gap) AS longest,
        list(gap ORDER BY gap) FILTER (WHERE gap IS NOT NULL) AS sorted,
        sorted[CEIL(COUNT(gap) / 2)::INTEGER] AS median,
        sorted[CEIL(9 * COUNT(gap) / 10)::INTEGER] AS long
    FROM gaps
    GROUP BY customer
),
since AS (
    SELECT customer, as_of, MIN(age_days) FILTER (WHERE kind = 'purchase') AS days, COUNT(*) AS events
    FROM past
    GROUP BY customer, as_of
),
-- A row of periods can't be longer than the customer has events, so one of these is the first without a purchase.
periods AS (
    SELECT customer, as_of, UNNEST(range(events + 1))::INTEGER AS earlier FROM since
),
weeks AS (
    SELECT customer, MIN(earlier) AS running
    FROM periods
    WHERE NOT EXISTS (
        FROM past
        WHERE past.customer = periods.customer AND kind = 'purchase'
            AND moment >= periods.as_of - (earlier + 1) * INTERVAL 7 DAYS
            AND moment < periods.as_of - earlier * INTERVAL 7 DAYS
    )
    GROUP BY customer
),
months AS (
    SELECT customer, MIN(earlier) AS running
    FROM periods
    WHERE NOT EXISTS (
        FROM past
        WHERE past.customer = periods.customer AND kind = 'purchase'
            AND moment >= periods.as_of - (earlier + 1) * INTERVAL 28 DAYS
            AND moment < periods.as_of - earlier * INTERVAL 28 DAYS
    )
    GROUP BY customer
)
SELECT
    customer,
    mean AS gap_mean_days,
    spread AS gap_spread_days,
    spread / mean AS gap_variation,
    median AS gap_median_days,
    long AS gap_long_days,
    longest AS gap_longest_days,
    since.days / mean AS overdue,
    since.days / long AS overdue_long,
    since.days - long AS days_beyond_long_gap,
    weeks.running AS purchase_weeks_running,
    months.running AS purchase_months_running
FROM since
LEFT JOIN rhythm USING (customer)
JOIN weeks USING (customer)
JOIN months USING (customer)
