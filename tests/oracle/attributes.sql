-- The newest that was told of each: of one moment the last recorded, of those recorded together the highest level.
WITH told AS (
    SELECT
        customer, product, quantity,
        ROW_NUMBER() OVER (PARTITION BY customer, product ORDER BY moment DESC, recorded_at DESC, quantity DESC)
            AS place
    FROM past
    WHERE kind = 'attribute'
),
customers AS (
    SELECT DISTINCT customer FROM past
)
SELECT
    customers.customer,
    MAX(quantity) FILTER (WHERE product = 'age') / 10000 AS attribute_age,
    MAX(quantity) FILTER (WHERE product = 'income') / 10000 AS attribute_income,
    MAX(quantity) FILTER (WHERE product = 'household_size') / 10000 AS attribute_household_size,
    MAX(quantity) FILTER (WHERE product = 'kids_count') / 10000 AS attribute_kids_count,
    MAX(quantity) FILTER (WHERE product = 'home_ownership') / 10000 AS attribute_home_ownership,
    MAX(quantity) FILTER (WHERE product = 'marital_status') / 10000 AS attribute_marital_status
FROM customers
LEFT JOIN told ON told.customer = customers.customer AND place = 1
GROUP BY customers.customer
