-- The tables as Holdfast made them before their version was written down, dumped from a store of that time.
CREATE TABLE events (
	seq INTEGER NOT NULL,
	id TEXT DEFAULT '' NOT NULL,
	version BIGINT DEFAULT '0' NOT NULL,
	source TEXT DEFAULT '' NOT NULL,
	source_reference TEXT DEFAULT '' NOT NULL,
	reference TEXT DEFAULT '' NOT NULL,
	kind TEXT DEFAULT '' NOT NULL,
	channel TEXT DEFAULT '' NOT NULL,
	product TEXT DEFAULT '' NOT NULL,
	place TEXT DEFAULT '' NOT NULL,
	quantity BIGINT NOT NULL,
	amount BIGINT NOT NULL,
	margin BIGINT,
	discount BIGINT NOT NULL,
	occurred_at BIGINT NOT NULL,
	recorded_at BIGINT NOT NULL,
	utc_offset BIGINT DEFAULT '0' NOT NULL,
	superseded_at BIGINT,
	body TEXT DEFAULT '' NOT NULL,
	PRIMARY KEY (seq),
	UNIQUE (id, version)
);
CREATE INDEX ix_events_recorded_at ON events (recorded_at);
CREATE INDEX events_of_reference ON events (reference, seq);
CREATE TABLE "references" (
	reference TEXT DEFAULT '' NOT NULL,
	value TEXT DEFAULT '' NOT NULL,
	PRIMARY KEY (reference)
);
CREATE INDEX ix_references_value ON "references" (value);
CREATE TABLE links (
	seq INTEGER NOT NULL,
	first TEXT DEFAULT '' NOT NULL,
	second TEXT DEFAULT '' NOT NULL,
	action TEXT DEFAULT '' NOT NULL,
	recorded_at BIGINT NOT NULL,
	PRIMARY KEY (seq),
	UNIQUE (first, second, action, recorded_at)
);
CREATE INDEX ix_links_first ON links (first);
CREATE INDEX ix_links_second ON links (second);
CREATE TABLE products (
	product TEXT DEFAULT '' NOT NULL,
	name TEXT DEFAULT '' NOT NULL,
	type TEXT DEFAULT '' NOT NULL,
	category TEXT DEFAULT '' NOT NULL,
	department TEXT DEFAULT '' NOT NULL,
	revision BIGINT NOT NULL,
	PRIMARY KEY (product)
);
CREATE INDEX ix_products_revision ON products (revision);
CREATE TABLE decisions (
	seq INTEGER NOT NULL,
	id TEXT DEFAULT '' NOT NULL,
	customer TEXT DEFAULT '' NOT NULL,
	made_at BIGINT NOT NULL,
	body TEXT DEFAULT '' NOT NULL,
	PRIMARY KEY (seq),
	UNIQUE (id)
);
CREATE INDEX ix_decisions_customer ON decisions (customer);
CREATE INDEX ix_decisions_made_at ON decisions (made_at);
CREATE TABLE contacts (
	seq INTEGER NOT NULL,
	contact TEXT DEFAULT '' NOT NULL,
	decision TEXT DEFAULT '' NOT NULL,
	reference TEXT DEFAULT '' NOT NULL,
	offer TEXT DEFAULT '' NOT NULL,
	kind TEXT DEFAULT '' NOT NULL,
	"group" TEXT DEFAULT '' NOT NULL,
	owner TEXT DEFAULT '' NOT NULL,
	channel TEXT DEFAULT '' NOT NULL,
	tier TEXT DEFAULT '' NOT NULL,
	state TEXT DEFAULT '' NOT NULL,
	held_at BIGINT NOT NULL,
	recorded_at BIGINT NOT NULL,
	PRIMARY KEY (seq)
);
CREATE INDEX contacts_of_reference ON contacts (reference, seq);
CREATE INDEX ix_contacts_decision ON contacts (decision);
CREATE TABLE spending (
	owner TEXT DEFAULT '' NOT NULL,
	tier TEXT DEFAULT '' NOT NULL,
	day BIGINT NOT NULL,
	contacts BIGINT NOT NULL,
	PRIMARY KEY (owner, tier, day)
);
CREATE TABLE responses (
	seq INTEGER NOT NULL,
	decision TEXT DEFAULT '' NOT NULL,
	offer TEXT DEFAULT '' NOT NULL,
	tried BIGINT NOT NULL,
	taken BIGINT NOT NULL,
	stated BIGINT NOT NULL,
	recorded_at BIGINT NOT NULL,
	PRIMARY KEY (seq)
);
CREATE INDEX responses_of_offer ON responses (decision, offer);
CREATE TABLE playbooks (
	hash TEXT DEFAULT '' NOT NULL,
	first_used_at BIGINT NOT NULL,
	files TEXT DEFAULT '' NOT NULL,
	PRIMARY KEY (hash)
);
