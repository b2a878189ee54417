package org

// Word lists of the made-up rows. They hold accents, quotes, commas and non-Latin scripts on purpose: whoever reads
// such rows must get them right.
var (
	companyHeads = []string{
		"Alpine", "Baltic", "Cascade", "Delta", "Eiffel", "Fjord", "Granite", "Harbour", "Iberia", "Juniper", "Kestrel", "Linden",
		"Meridian", "Nordstern", "Orchard", "Pinnacle", "Quarry", "Rhein", "Sierra", "Tessin", "Umbra", "Vistula", "Wexford",
		"Yarrow", "Zürich", "Ångström", "Øresund", "São Bento", "Białystok", "東京", "Αθήνα", "Müller & Söhne", "O'Neill",
	}
	companyKinds = []string{
		"Logistics", "Foods", "Chemicals", "Print", "Energy", "Textiles", "Optics", "Glass", "Paper", "Marine", "Tools", "Systems",
		"Pharma", "Metals", "Timber", "Packaging",
	}
	companyForms = []string{"GmbH", "Ltd", "Inc.", "S.A.", "B.V.", "AG", "S.r.l.", "AB", "Oy", "K.K.", "LLC", "plc"}
	firstNames   = []string{
		"Ann", "Björn", "Carla", "Dmitri", "Élodie", "Farid", "Grace", "Hana", "Ivan", "José", "Karin", "Liam", "Mei", "Noor",
		"Olga", "Pedro", "Quinn", "Rosa", "Søren", "Tariq", "Ursula", "Viktor", "Wei", "Xenia", "Yusuf", "Zoë",
	}
	lastNames = []string{
		"Anders", "Berglund", "Ćosić", "Devon", "Espinosa", "Feuer", "García", "Hardy", "Ishikawa", "Jørgensen", "Kovács", "Lebihan",
		"Moreno", "Nagy", "O'Brien", "Pereira", "Quiroga", "Rodríguez", "Saveley", "Trujillo", "Urban", "Vasić", "Wilson", "Yorres", "Zhang",
	}
	streets   = []string{"Obere Str.", "Avda. de la Constitución", "Berguvsvägen", "Hanover Sq.", "rue de l'Abbaye", "Kirchgasse", "Rambla de Cataluña", "Fauntleroy Circus", "\"Old Mill\" Lane", "Via Monte Bianco"}
	cities    = []string{"Berlin", "México D.F.", "Luleå", "London", "Reims", "Graz", "Barcelona", "Tsawassen", "Torino", "Kraków", "Genève", "Århus"}
	countries = []string{"Germany", "Mexico", "Sweden", "UK", "France", "Austria", "Spain", "Canada", "Italy", "Poland", "Switzerland", "Denmark"}
	titles    = []string{"Sales Representative", "Owner", "Order Administrator", "Accounting Manager", "Head of Purchasing, EMEA", "Sales Agent", "Marketing Manager", "CFO"}
	units     = []string{"Accounting", "Purchasing", "Logistics", "Sales", "Finance", "IT"}
	remarks   = []string{
		"Pays by bank transfer.", "Asked for a \"final\" reminder, then paid.", "Prefers e-mail; phone only in the morning.",
		"First line\nsecond line, with a comma", "Disputes invoices without a purchase order number.", "Contrat cadre signé – échéance à 60 jours",
		"tab\there, semicolon; and a pipe |", "顧客は月末に支払う",
	}
)
