-- A conversation is a contact, an inquiry, a complaint or a visit.
WITH conversations AS (
    SELECT *, kind IN ('contact', 'inquiry', 'complaint', 'visit') AS talked FROM past
)
SELECT
    customer,
    COUNT(*) FILTER (WHERE talked AND moment >= as_of - INTERVAL 28 DAYS) AS contacts_28,
    COUNT(*) FILTER (WHERE talked AND moment >= as_of - INTERVAL 91 DAYS) AS contacts_91,
    COUNT(*) FILTER (WHERE talked AND moment >= as_of - INTERVAL 364 DAYS) AS contacts_364,
    COUNT(*) FILTER (WHERE talked AND channel = 'phone' AND moment >= as_of - INTERVAL 91 DAYS) AS contacts_phone_91,
    COUNT(*) FILTER (WHERE talked AND channel = 'web' AND moment >= as_of - INTERVAL 91 DAYS) AS contacts_web_91,
    COUNT(*) FILTER (WHERE talked AND channel = 'app' AND moment >= as_of - INTERVAL 91 DAYS) AS contacts_app_91,
    COUNT(*) FILTER (WHERE talked AND channel = 'email' AND moment >= as_of - INTERVAL 91 DAYS) AS contacts_email_91,
    COUNT(*) FILTER (WHERE talked AND channel = 'chat' AND moment >= as_of - INTERVAL 91 DAYS) AS contacts_chat_91,
    COUNT(*) FILTER (WHERE talked AND channel = 'store' AND moment >= as_of - INTERVAL 91 DAYS) AS contacts_store_91,
    COUNT(*) FILTER (WHERE kind = 'inquiry' AND moment >= as_of - INTERVAL 28 DAYS) AS inquiries_28,
    COUNT(*) FILTER (WHERE kind = 'inquiry' AND moment >= as_of - INTERVAL 91 DAYS) AS inquiries_91,
    COUNT(*) FILTER (WHERE kind = 'inquiry' AND moment >= as_of - INTERVAL 364 DAYS) AS inquiries_364,
    MIN(age_days) FILTER (WHERE kind = 'inquiry') AS days_since_inquiry,
    COUNT(*) FILTER (WHERE talked AND channel = 'phone' AND moment >= as_of - INTERVAL 91 DAYS)
        / NULLIF(COUNT(*) FILTER (WHERE talked AND moment >= as_of - INTERVAL 91 DAYS), 0) AS contacts_phone_share_91,
    COUNT(*) FILTER (WHERE talked AND moment >= as_of - INTERVAL 364 DAYS)
        / NULLIF(COUNT(DISTINCT day) FILTER (WHERE kind = 'purchase' AND moment >= as_of - INTERVAL 364 DAYS), 0)
        AS contacts_per_purchase_day_364,
    MIN(age_days) FILTER (WHERE talked) AS days_since_contact
FROM conversations
GROUP BY customer
