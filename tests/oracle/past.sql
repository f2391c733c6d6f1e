-- What had happened by `as_of`. Windows look at `moment`, of UTC; days, hours and weekdays at `local_moment`, of the
-- event's own clock.
SELECT
    customer, kind, channel, product, type, category, department, place, quantity, amount, discount,
    COALESCE(margin, 0) AS margin,
    recorded_at,
    make_timestamp(occurred_at) AS moment,
    make_timestamp(occurred_at + utc_offset * 1000000) AS local_moment,
    local_moment::DATE AS day,
    make_timestamp($as_of) AS as_of,
    ($as_of - occurred_at) / 86400e6 AS age_days
FROM events
WHERE occurred_at < $as_of
