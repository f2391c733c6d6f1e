-- An empty text is no product, type, category, department or place.
SELECT
    customer,
    COUNT(DISTINCT product) FILTER (WHERE kind = 'purchase' AND product <> '' AND moment >= as_of - INTERVAL 91 DAYS)
        AS products_91,
    COUNT(DISTINCT type) FILTER (WHERE kind = 'purchase' AND type <> '' AND moment >= as_of - INTERVAL 91 DAYS)
        AS types_91,
    COUNT(DISTINCT category) FILTER (WHERE kind = 'purchase' AND category <> '' AND moment >= as_of - INTERVAL 28 DAYS)
        AS categories_28,
    COUNT(DISTINCT category) FILTER (WHERE kind = 'purchase' AND category <> '' AND moment >= as_of - INTERVAL 91 DAYS)
        AS categories_91,
    COUNT(DISTINCT department) FILTER (WHERE kind = 'purchase' AND department <> ''
                                     AND moment >= as_of - INTERVAL 28 DAYS)
        AS departments_28,
    COUNT(DISTINCT department) FILTER (WHERE kind = 'purchase' AND department <> ''
                                     AND moment >= as_of - INTERVAL 91 DAYS)
        AS departments_91,
    COUNT(DISTINCT place) FILTER (WHERE kind = 'purchase' AND place <> '' AND moment >= as_of - INTERVAL 91 DAYS)
        AS places_91,
    COUNT(DISTINCT channel) FILTER (WHERE kind = 'purchase' AND moment >= as_of - INTERVAL 91 DAYS)
        AS channels_91,
    COUNT(DISTINCT product) FILTER (WHERE kind = 'purchase' AND product <> '') AS products,
    COUNT(DISTINCT product) FILTER (WHERE kind = 'purchase' AND product <> '' AND moment >= as_of - INTERVAL 91 DAYS)
        / NULLIF(COUNT(*) FILTER (WHERE kind = 'purchase' AND moment >= as_of - INTERVAL 91 DAYS), 0) AS variety_91
FROM past
GROUP BY customer
