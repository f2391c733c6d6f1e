SELECT
    customer,
    COUNT(*) FILTER (WHERE kind = 'complaint' AND moment >= as_of - INTERVAL 28 DAYS) AS complaints_28,
    COUNT(*) FILTER (WHERE kind = 'complaint' AND moment >= as_of - INTERVAL 91 DAYS) AS complaints_91,
    COUNT(*) FILTER (WHERE kind = 'complaint' AND moment >= as_of - INTERVAL 364 DAYS) AS complaints_364,
    MIN(age_days) FILTER (WHERE kind = 'complaint') AS days_since_complaint,
    COUNT(*) FILTER (WHERE kind = 'complaint' AND moment >= as_of - INTERVAL 364 DAYS)
        / NULLIF(COUNT(*) FILTER (WHERE kind IN ('contact', 'inquiry', 'complaint', 'visit')
                                  AND moment >= as_of - INTERVAL 364 DAYS), 0) AS complaint_share_364,
    MIN(age_days) FILTER (WHERE kind = 'return') AS days_since_return,
    COUNT(*) FILTER (WHERE kind = 'return' AND moment >= as_of - INTERVAL 91 DAYS) AS returns_91,
    COUNT(*) FILTER (WHERE kind = 'return' AND moment >= as_of - INTERVAL 364 DAYS)
        / NULLIF(COUNT(*) FILTER (WHERE kind = 'purchase' AND moment >= as_of - INTERVAL 364 DAYS), 0)
        AS return_share_364,
    COUNT(*) FILTER (WHERE kind = 'payment' AND moment >= as_of - INTERVAL 91 DAYS) AS payments_91,
    COUNT(*) FILTER (WHERE kind = 'late_payment' AND moment >= as_of - INTERVAL 91 DAYS) AS late_payments_91,
    COUNT(*) FILTER (WHERE kind = 'late_payment' AND moment >= as_of - INTERVAL 364 DAYS) AS late_payments_364,
    MIN(age_days) FILTER (WHERE kind = 'late_payment') AS days_since_late_payment,
    MIN(age_days) FILTER (WHERE kind = 'visit') AS days_since_visit,
    COUNT(*) FILTER (WHERE kind = 'visit' AND moment >= as_of - INTERVAL 91 DAYS) AS visits_91,
    COUNT(*) FILTER (WHERE kind = 'end' AND moment >= as_of - INTERVAL 364 DAYS) AS ends_364,
    MIN(age_days) FILTER (WHERE kind = 'end') AS days_since_end
FROM past
GROUP BY customer
