-- The shop's database: dates are ISO text (YYYY-MM-DD), money is integer cents of euro in columns named *_cents.
-- Tables hold what people typed; the views at the end hold the same facts cleaned and joined, one row a fact.

CREATE TABLE countries (
    country_code TEXT PRIMARY KEY CHECK (length(country_code) = 2),
    country TEXT NOT NULL UNIQUE,
    vat_percent REAL NOT NULL CHECK (vat_percent BETWEEN 0 AND 30),
    shipping_cents INTEGER NOT NULL CHECK (shipping_cents >= 0),
    free_shipping_from_cents INTEGER NOT NULL CHECK (free_shipping_from_cents > 0),
    delivery_days INTEGER NOT NULL CHECK (delivery_days > 0)
);

CREATE TABLE customers (
    customer_id INTEGER PRIMARY KEY,
    name TEXT NOT NULL,
    email TEXT,
    phone TEXT,
    city TEXT,
    country TEXT NOT NULL,  -- as typed: case and spaces vary; the views hold the clean name
    segment TEXT NOT NULL CHECK (segment IN ('private', 'business')),
    status TEXT NOT NULL CHECK (status IN ('active', 'closed', 'forgotten')),
    marketing_consent INTEGER NOT NULL CHECK (marketing_consent IN (0, 1)),
    created_on TEXT NOT NULL
);

CREATE TABLE products (
    product_id INTEGER PRIMARY KEY,
    sku TEXT NOT NULL UNIQUE,
    name TEXT NOT NULL,
    category TEXT NOT NULL,
    price_cents INTEGER NOT NULL CHECK (price_cents > 0),
    cost_cents INTEGER NOT NULL CHECK (cost_cents > 0),
    weight_grams INTEGER NOT NULL CHECK (weight_grams > 0),
    warranty_months INTEGER NOT NULL CHECK (warranty_months >= 24),
    hygiene INTEGER NOT NULL CHECK (hygiene IN (0, 1)),
    hazardous INTEGER NOT NULL CHECK (hazardous IN (0, 1)),
    seller TEXT NOT NULL,
    stock INTEGER NOT NULL CHECK (stock >= 0)
);

CREATE TABLE orders (
    order_id INTEGER PRIMARY KEY,
    customer_id INTEGER NOT NULL REFERENCES customers (customer_id),
    channel TEXT NOT NULL CHECK (channel IN ('web', 'app', 'phone', 'marketplace')),
    status TEXT NOT NULL CHECK (status IN ('processing', 'shipped', 'delivered', 'returned', 'lost', 'cancelled')),
    ordered_on TEXT NOT NULL,
    shipped_on TEXT,
    delivered_on TEXT,
    shipping_cents INTEGER NOT NULL CHECK (shipping_cents >= 0),
    discount_cents INTEGER NOT NULL CHECK (discount_cents >= 0),
    total_cents INTEGER NOT NULL CHECK (total_cents >= 0)
);

CREATE TABLE order_lines (
    line_id INTEGER PRIMARY KEY,
    order_id INTEGER NOT NULL REFERENCES orders (order_id),
    product_id INTEGER NOT NULL REFERENCES products (product_id),
    quantity INTEGER NOT NULL CHECK (quantity > 0),
    unit_price_cents INTEGER NOT NULL CHECK (unit_price_cents >= 0),
    line_total_cents INTEGER NOT NULL CHECK (line_total_cents = quantity * unit_price_cents)
);

CREATE TABLE payments (
    payment_id INTEGER PRIMARY KEY,
    order_id INTEGER NOT NULL REFERENCES orders (order_id),
    method TEXT NOT NULL CHECK (method IN ('card', 'paypal', 'invoice', 'bank_transfer', 'gift_card')),
    status TEXT NOT NULL CHECK (status IN ('captured', 'pending', 'failed', 'voided', 'charged_back')),
    amount_cents INTEGER NOT NULL CHECK (amount_cents >= 0),
    attempted_on TEXT NOT NULL
);

CREATE TABLE refunds (
    refund_id INTEGER PRIMARY KEY,
    order_id INTEGER NOT NULL REFERENCES orders (order_id),
    customer_id INTEGER NOT NULL REFERENCES customers (customer_id),
    line_id INTEGER REFERENCES order_lines (line_id),  -- NULL: the whole order
    reason TEXT NOT NULL CHECK (reason IN ('damaged', 'faulty', 'changed_mind', 'wrong_item', 'lost_parcel',
        'late_delivery', 'price_match', 'goodwill', 'cancelled_order')),
    status TEXT NOT NULL CHECK (status IN ('requested', 'approved', 'paid', 'rejected')),
    amount_cents INTEGER NOT NULL CHECK (amount_cents > 0),
    approved_by TEXT CHECK (approved_by IN ('agent', 'team_lead', 'head_of_care', 'finance_director')),
    requested_on TEXT NOT NULL,
    paid_on TEXT
);

CREATE TABLE support_cases (
    case_id INTEGER PRIMARY KEY,
    customer_id INTEGER NOT NULL REFERENCES customers (customer_id),
    order_id INTEGER REFERENCES orders (order_id),
    channel TEXT NOT NULL CHECK (channel IN ('email', 'chat', 'phone', 'form')),
    topic TEXT NOT NULL,
    priority TEXT NOT NULL CHECK (priority IN ('low', 'normal', 'high')),
    status TEXT NOT NULL CHECK (status IN ('open', 'waiting', 'closed')),
    agent TEXT,
    subject TEXT NOT NULL,
    message TEXT NOT NULL,
    satisfaction INTEGER CHECK (satisfaction BETWEEN 1 AND 5),
    opened_on TEXT NOT NULL,
    closed_on TEXT
);

CREATE INDEX customers_email ON customers (lower(email));
CREATE INDEX orders_customer ON orders (customer_id);
CREATE INDEX orders_date ON orders (ordered_on);
CREATE INDEX lines_order ON order_lines (order_id);
CREATE INDEX lines_product ON order_lines (product_id);
CREATE INDEX payments_order ON payments (order_id);
CREATE INDEX refunds_order ON refunds (order_id);
CREATE INDEX refunds_date ON refunds (requested_on);
CREATE INDEX cases_order ON support_cases (order_id);
CREATE INDEX cases_customer ON support_cases (customer_id);

-- One row a customer, spelled cleanly.
CREATE VIEW customer_facts AS
SELECT c.customer_id, trim(c.name) AS name, lower(trim(c.email)) AS email, c.phone, trim(c.city) AS city, k.country,
    c.segment, c.status, c.created_on, substr(c.created_on, 1, 7) AS month,
    (SELECT count(*) FROM orders o WHERE o.customer_id = c.customer_id) AS orders,
    (SELECT coalesce(sum(o.total_cents), 0) FROM orders o
        WHERE o.customer_id = c.customer_id AND o.status <> 'cancelled') AS revenue_cents
FROM customers c JOIN countries k ON lower(k.country) = lower(trim(c.country));

-- One row an order line of an order that was not cancelled.
CREATE VIEW sales_facts AS
SELECT l.line_id, o.order_id, o.customer_id, p.product_id, p.name AS product, p.category, p.seller, k.country, c.segment,
    o.channel, o.status, o.ordered_on, substr(o.ordered_on, 1, 7) AS month, l.quantity,
    l.line_total_cents AS revenue_cents
FROM order_lines l JOIN orders o USING (order_id) JOIN products p USING (product_id)
    JOIN customers c USING (customer_id) JOIN countries k ON lower(k.country) = lower(trim(c.country))
WHERE o.status <> 'cancelled';

-- One row a refund; category and product are those of its line, '(whole order)' where it has none.
CREATE VIEW refund_facts AS
SELECT r.refund_id, r.order_id, r.customer_id, r.reason, r.status, r.amount_cents, r.approved_by, k.country,
    coalesce(p.category, '(whole order)') AS category, coalesce(p.name, '(whole order)') AS product, o.channel,
    r.requested_on, r.paid_on, substr(r.requested_on, 1, 7) AS month
FROM refunds r JOIN orders o USING (order_id) JOIN customers c ON c.customer_id = r.customer_id
    JOIN countries k ON lower(k.country) = lower(trim(c.country))
    LEFT JOIN order_lines l ON l.line_id = r.line_id LEFT JOIN products p ON p.product_id = l.product_id;

-- One row a support case; days_to_close is empty while it is open.
CREATE VIEW case_facts AS
SELECT s.case_id, s.order_id, s.customer_id, s.topic, s.channel, s.priority, s.status, s.agent, s.satisfaction, k.country,
    s.opened_on, s.closed_on, substr(s.opened_on, 1, 7) AS month,
    CAST(julianday(s.closed_on) - julianday(s.opened_on) AS INTEGER) AS days_to_close
FROM support_cases s JOIN customers c USING (customer_id)
    JOIN countries k ON lower(k.country) = lower(trim(c.country));

-- One row a month: refund_rate_percent as handbook/monthly-reporting.md defines it.
CREATE VIEW monthly_figures AS
SELECT s.month, s.orders, s.revenue_cents, coalesce(r.refunds, 0) AS refunds, coalesce(r.refunded_cents, 0) AS refunded_cents,
    round(100.0 * coalesce(r.refunded_cents, 0) / s.revenue_cents, 2) AS refund_rate_percent
FROM (SELECT month, count(DISTINCT order_id) AS orders, sum(revenue_cents) AS revenue_cents FROM sales_facts GROUP BY month) s
LEFT JOIN (SELECT month, count(*) AS refunds, sum(amount_cents) AS refunded_cents FROM refund_facts
    WHERE status IN ('approved', 'paid') GROUP BY month) r USING (month);
