-- The embedded CRM: who the people are and what was agreed with them. It knows part of the shop's customers, by e-mail.

CREATE TABLE contacts (
    contact_id INTEGER PRIMARY KEY,
    name TEXT NOT NULL,
    email TEXT NOT NULL,
    phone TEXT,
    company TEXT,
    tier TEXT NOT NULL CHECK (tier IN ('standard', 'plus', 'business')),
    owner TEXT,
    since TEXT NOT NULL,
    notes TEXT NOT NULL DEFAULT ''
);

CREATE TABLE activities (
    activity_id INTEGER PRIMARY KEY,
    contact_id INTEGER NOT NULL REFERENCES contacts (contact_id),
    kind TEXT NOT NULL CHECK (kind IN ('call', 'email', 'meeting', 'note')),
    on_date TEXT NOT NULL,
    summary TEXT NOT NULL
);

CREATE INDEX contacts_email ON contacts (lower(email));
CREATE INDEX activities_contact ON activities (contact_id, on_date);
