SELECT
    customer,
    COUNT(*) FILTER (WHERE kind = 'offer_presented' AND moment >= as_of - INTERVAL 28 DAYS) AS offers_presented_28,
    COUNT(*) FILTER (WHERE kind = 'offer_presented' AND moment >= as_of - INTERVAL 91 DAYS) AS offers_presented_91,
    COUNT(*) FILTER (WHERE kind = 'offer_accepted' AND moment >= as_of - INTERVAL 91 DAYS) AS offers_accepted_91,
    COUNT(*) FILTER (WHERE kind = 'offer_interested' AND moment >= as_of - INTERVAL 91 DAYS) AS offers_interested_91,
    COUNT(*) FILTER (WHERE kind = 'offer_returned' AND moment >= as_of - INTERVAL 364 DAYS) AS offers_returned_364,
    COUNT(*) FILTER (WHERE kind = 'offer_declined' AND moment >= as_of - INTERVAL 28 DAYS) AS offers_declined_28,
    COUNT(*) FILTER (WHERE kind = 'offer_declined' AND moment >= as_of - INTERVAL 91 DAYS) AS offers_declined_91,
    COUNT(*) FILTER (WHERE kind = 'offer_accepted' AND moment >= as_of - INTERVAL 364 DAYS)
        / NULLIF(COUNT(*) FILTER (WHERE kind = 'offer_presented' AND moment >= as_of - INTERVAL 364 DAYS), 0)
        AS offer_acceptance_364,
    MIN(age_days) FILTER (WHERE kind = 'offer_accepted') AS days_since_accepted,
    MIN(age_days) FILTER (WHERE kind = 'offer_declined') AS days_since_declined
FROM past
GROUP BY customer
