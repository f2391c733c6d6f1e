-- The full price is what was paid and what was taken off; a line below zero pays nothing.
SELECT
    customer,
    CASE WHEN SUM(discount + GREATEST(amount, 0))
                  FILTER (WHERE kind = 'purchase' AND moment >= as_of - INTERVAL 91 DAYS) > 0
         THEN SUM(discount) FILTER (WHERE kind = 'purchase' AND moment >= as_of - INTERVAL 91 DAYS)
              / SUM(discount + GREATEST(amount, 0))
                  FILTER (WHERE kind = 'purchase' AND moment >= as_of - INTERVAL 91 DAYS)
         END AS discount_share_91,
    COUNT(*) FILTER (WHERE kind = 'purchase' AND discount > 0 AND moment >= as_of - INTERVAL 91 DAYS)
        / NULLIF(COUNT(*) FILTER (WHERE kind = 'purchase' AND moment >= as_of - INTERVAL 91 DAYS), 0)
        AS discounted_lines_91,
    COUNT(*) FILTER (WHERE kind = 'coupon' AND moment >= as_of - INTERVAL 28 DAYS) AS coupons_28,
    COUNT(*) FILTER (WHERE kind = 'coupon' AND moment >= as_of - INTERVAL 91 DAYS) AS coupons_91,
    MIN(age_days) FILTER (WHERE kind = 'coupon') AS days_since_coupon,
    COUNT(*) FILTER (WHERE kind = 'campaign' AND moment >= as_of - INTERVAL 28 DAYS) AS campaigns_28,
    COUNT(*) FILTER (WHERE kind = 'campaign' AND moment >= as_of - INTERVAL 91 DAYS) AS campaigns_91,
    MIN(age_days) FILTER (WHERE kind = 'campaign') AS days_since_campaign
FROM past
GROUP BY customer
