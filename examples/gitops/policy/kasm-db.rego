# What holds for every document and every plan; conftest tests one file at a time.
package main

import rego.v1

# The documents, each with what it extends: also if nothing changes.
deny contains msg if {
	input.format == "kasm-db/resolve"
	not audits_ddl(object.get(input.resolved, ["audit", "classes"], []))
	msg := sprintf("%s: audit the class ddl", [input.document])
}

deny contains msg if {
	input.format == "kasm-db/resolve"
	image := object.get(input.resolved, "image", "")
	not regex.match(`^kasmweb/postgres:[^@]+@sha256:[0-9a-f]{64}$`, image)
	msg := sprintf("%s: use an image of kasmweb/postgres with a digest, not `%s`", [input.document, image])
}

# The plan: what is on the hosts, and what becomes of it.
deny contains msg if {
	input.format == "kasm-db/plan"
	some target in input.targets
	not declares_ddl(target)
	msg := sprintf("%s: audit the class ddl", [target.name])
}

warn contains msg if {
	input.format == "kasm-db/plan"
	some target in input.targets
	target.needs in {"restart", "recreate"}
	msg := sprintf("%s: announce a downtime: %s", [target.name, target.needs])
}

audits_ddl(classes) if {
	some class in classes
	class in {"ddl", "all"}
	not "-ddl" in classes
}

declares_ddl(target) if {
	some value in target.managed
	value.subject == "pgaudit.log"
	audits_ddl(value.declared)
}
