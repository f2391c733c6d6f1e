SELECT
    customer,
    COUNT(*) FILTER (WHERE kind = 'offer_presented' AND moment >= as_of - INTERVAL 28 DAYS) AS offers_presented_28,
    COUNT(*) FILTER (WHERE kind = 'offer_presented' AND moment >= as_of - INTERVAL 91 DAYS) AS offers_presented_91,
    COUNT(*) FILTER (WHERE kind = 'offer_accepted' AND moment >= as_of - INTERVAL 91 DAYS) AS offers_accepted_91,
    COUNT(*) FILTER (WHERE kind = 'offer_interested' AND moment >= as_of - INTERVAL 91 DAYS) AS offers_interested_91,
    COUNT(*) FILTER (WHERE kind = 'offer_returned' AND moment >= as_of - INTERVAL 364 DAYS) AS offers_returned_364,
    COUNT(*) FILTER (WHERE kind = 'offer_declined' AND moment >= as_of - INTERVAL 28 DAYS) AS offers_declined_28,
    COUNT(*) FILTER (WHERE kind = 'offer_declined' AND moment >= as_of - INTERVAL 91 DAYS) AS offers_declined_91,
    COUNT(*) FILTER (WHERE kind = 'reason' AND product = 'price' AND moment >= as_of - INTERVAL 91 DAYS)
        AS declined_for_price_91,
    COUNT(*) FILTER (WHERE kind = 'reason' AND product = 'need' AND moment >= as_of - INTERVAL 91 DAYS)
        AS declined_for_need_91,
    COUNT(*) FILTER (WHERE kind = 'reason' AND product = 'timing' AND moment >= as_of - INTERVAL 91 DAYS)
        AS declined_for_timing_91,
    COUNT(*) FILTER (WHERE kind = 'reason' AND product = 'trust' AND moment >= as_of - INTERVAL 91 DAYS)
        AS declined_for_trust_91,
    COUNT(*) FILTER (WHERE kind = 'reason' AND product = 'rival' AND moment >= as_of - INTERVAL 91 DAYS)
        AS declined_for_rival_91,
    COUNT(*) FILTER (WHERE kind = 'reason' AND product = 'service' AND moment >= as_of - INTERVAL 91 DAYS)
        AS declined_for_service_91,
    COUNT(*) FILTER (WHERE kind = 'offer_accepted' AND moment >= as_of - INTERVAL 364 DAYS)
        / NULLIF(COUNT(*) FILTER (WHERE kind = 'offer_presented' AND moment >= as_of - INTERVAL 364 DAYS), 0)
        AS offer_acceptance_364,
    MIN(age_days) FILTER (WHERE kind = 'offer_accepted') AS days_since_accepted,
    MIN(age_days) FILTER (WHERE kind = 'offer_declined') AS days_since_declined
FROM past
GROUP BY customer
