"""Shows that simple-salesforce, unchanged, works with the simulated org: logins, describe, queries, records, Bulk 2.0.

usage: simple_salesforce.py [LINE]
LINE is the JSON line that the simulator prints when it is ready, or a file that holds it; without it, standard input.
Needs: pip install -r requirements.txt. Prints a line per check, "N passed, N failed" last, and exits 1 when a check failed.

The library builds https://<domain>.salesforce.com by itself. A requests session with an adapter of its own, which the
library takes as an argument, sends every request to the simulator instead; nothing in the library is changed.
"""
import csv
import datetime
import io
import json
import os
import sys
import urllib.parse
import urllib.request

# This file bears the library's name; its folder must not be searched first.
sys.path[:] = [p for p in sys.path if os.path.abspath(p or ".") != os.path.dirname(os.path.abspath(__file__))]

import requests  # noqa: E402
from requests.adapters import HTTPAdapter  # noqa: E402
from simple_salesforce import Salesforce, SalesforceAuthenticationFailed  # noqa: E402
from simple_salesforce.exceptions import SalesforceMalformedRequest, SalesforceResourceNotFound  # noqa: E402

DOMAIN = "acme.my"  # client credentials need a My Domain


class Detour(HTTPAdapter):
    """Sends what is meant for any host to one base address."""

    def __init__(self, base):
        super().__init__()
        self.base = urllib.parse.urlsplit(base)

    def send(self, request, **options):
        url = urllib.parse.urlsplit(request.url)
        request.url = urllib.parse.urlunsplit((self.base.scheme, self.base.netloc, url.path, url.query, ""))
        return super().send(request, **options)


class Checks:
    def __init__(self, line):
        self.line = line
        self.sf = None

    def session(self):
        session = requests.Session()
        session.mount("https://", Detour(self.line["instance_url"]))
        return session

    def control(self, method, path, body=None):
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.line["control_url"] + path, data=data, method=method)
        with urllib.request.urlopen(request) as answer:
            return answer.read().decode()

    def truth(self, entity):
        return [json.loads(row) for row in self.control("GET", f"/org/{entity}").splitlines()]

    def login(self, **how):
        return Salesforce(session=self.session(), version="66.0", **how)

    # Logins

    def check_password_flow(self):
        self.sf = self.login(
            username=self.line["username"], password=self.line["password"], consumer_key=self.line["client_id"],
            consumer_secret=self.line["client_secret"], domain=DOMAIN)
        assert self.sf.query("SELECT Id FROM Account LIMIT 1")["done"]

    def check_password_and_security_token_over_soap(self):
        password, token = self.line["password"][:-24], self.line["password"][-24:]
        sf = self.login(username=self.line["username"], password=password, security_token=token)
        assert sf.query("SELECT Id FROM Account LIMIT 1")["done"]

    def check_wrong_password(self):
        try:
            self.login(
                username=self.line["username"], password="wrong", consumer_key=self.line["client_id"],
                consumer_secret=self.line["client_secret"], domain=DOMAIN)
        except SalesforceAuthenticationFailed as failure:
            assert "invalid_grant" in str(failure) and "authentication failure" in str(failure), failure
        else:
            raise AssertionError("a wrong password was accepted")

    def check_client_credentials(self):
        sf = self.login(consumer_key=self.line["client_id"], consumer_secret=self.line["client_secret"], domain=DOMAIN)
        assert sf.query("SELECT Id FROM Account LIMIT 1")["done"]

    def check_jwt_bearer(self):
        sf = self.login(
            username=self.line["username"], consumer_key=self.line["client_id"], privatekey_file=self.line["jwt_key_file"])
        assert sf.query("SELECT Id FROM Account LIMIT 1")["done"]

    def check_new_session_after_revocation(self):
        self.control("POST", "/revoke-tokens")
        assert self.sf.query("SELECT Id FROM Account LIMIT 1")["done"]

    # Describe

    def check_describe(self):
        names = [o["name"] for o in self.sf.describe()["sobjects"]]
        assert {"Account", "Contact", "Note", "Task", "ContentNote", "User"} <= set(names), names
        fields = {f["name"]: f for f in self.sf.Account.describe()["fields"]}
        assert fields["BillingStreet"]["compoundFieldName"] == "BillingAddress"
        assert fields["AnnualRevenue"]["type"] == "currency" and fields["ERP_Customer_No__c"]["custom"]
        assert self.sf.is_sandbox() is False

    def check_limits_and_usage(self):
        assert self.sf.limits()["DailyApiRequests"]["Max"] > 0
        assert self.sf.api_usage["api-usage"].used > 0

    # Queries

    def check_query_pages(self):
        first = self.sf.query("SELECT Id, Name, Owner.Name FROM Account")
        expected = self.truth("Account")
        assert not first["done"] and len(first["records"]) == 2000 and first["totalSize"] == len(expected)
        second = self.sf.query_more(first["nextRecordsUrl"], identifier_is_url=True)
        assert second["records"][0]["Id"] != first["records"][0]["Id"]
        names = {r["Id"]: r["Name"] for r in self.sf.query_all_iter("SELECT Id, Name FROM Account")}
        assert names == {r["Id"]: r["Name"] for r in expected}

    def check_query_with_conditions(self):
        found = self.sf.query_all(
            "SELECT Id FROM Account WHERE Industry IN ('Banking', 'Energy') AND (NOT Name LIKE 'A%') AND CreatedDate < TODAY")
        expected = [r for r in self.truth("Account") if r["Industry"] in ("Banking", "Energy") and not r["Name"].upper().startswith("A")]
        assert 0 < found["totalSize"] == len(expected), (found["totalSize"], len(expected))
        assert self.sf.query("SELECT COUNT() FROM Contact")["totalSize"] == len(self.truth("Contact"))

    def check_query_errors(self):
        for soql, code in (("SELECT Bacon__c FROM Account", "INVALID_FIELD"), ("SELECT Id FROM Bacon", "INVALID_TYPE"), ("SELECT Id FORM Account", "MALFORMED_QUERY")):
            try:
                self.sf.query(soql)
            except SalesforceMalformedRequest as error:
                assert error.content[0]["errorCode"] == code, error
            else:
                raise AssertionError(f"{soql} was answered")

    # Records

    def check_records(self):
        made = self.sf.Contact.create({"LastName": "Žižka", "Email": "z@example.com"})
        assert made["success"]
        assert self.sf.Contact.update(made["id"], {"FirstName": "Jan", "Email": None}) == 204
        record = self.sf.Contact.get(made["id"])
        assert record["Name"] == "Jan Žižka" and record["Email"] is None and record["MailingAddress"] is None
        assert self.sf.Contact.delete(made["id"]) == 204
        try:
            self.sf.Contact.get(made["id"])
        except SalesforceResourceNotFound:
            pass
        else:
            raise AssertionError("a deleted record was found")
        deleted = self.sf.query_all("SELECT Id FROM Contact WHERE IsDeleted = true", include_deleted=True)
        assert made["id"] in [r["Id"] for r in deleted["records"]]

    def check_updated_and_deleted(self):
        end = datetime.datetime.now(datetime.timezone.utc)
        start = end - datetime.timedelta(hours=1)
        assert "latestDateCovered" in self.sf.Contact.updated(start, end)
        assert "deletedRecords" in self.sf.Contact.deleted(start, end)

    # Bulk 2.0

    def rows(self, pages):
        return [row for page in pages for row in csv.DictReader(io.StringIO(page, newline=""))]

    def check_bulk_query(self):
        pages = list(self.sf.bulk2.Contact.query("SELECT Id, LastName, Description, Account.Name FROM Contact", max_records=700, wait=1))
        rows, truth = self.rows(pages), {r["Id"]: r for r in self.truth("Contact")}
        assert len(pages) > 3 and len(rows) == len(truth), (len(pages), len(rows), len(truth))
        for row in rows:
            assert row["Description"] == (truth[row["Id"]]["Description"] or "") and row["LastName"] == truth[row["Id"]]["LastName"]

    def check_bulk_query_all(self):
        everything = self.rows(self.sf.bulk2.Contact.query_all("SELECT Id, IsDeleted FROM Contact", max_records=900, wait=1))
        gone = [r for r in everything if r["IsDeleted"] == "true"]
        assert gone and len(everything) == len(self.truth("Contact")) + len(gone)

    def check_bulk_download(self):
        import tempfile
        with tempfile.TemporaryDirectory() as folder:
            results = self.sf.bulk2.Account.download("SELECT Id, Name FROM Account", path=folder, max_records=1500, wait=1)
            assert len(results) > 2 and sum(r["number_of_records"] for r in results) == len(self.truth("Account"))

    def check_bulk_refusals(self):
        try:
            list(self.sf.bulk2.Account.query("SELECT BillingAddress FROM Account"))
        except SalesforceMalformedRequest as error:
            assert "compound data not supported" in str(error.content), error
        else:
            raise AssertionError("a compound field was selected")


def main():
    text = sys.argv[1] if len(sys.argv) > 1 else sys.stdin.read()
    if os.path.exists(text):
        with open(text, encoding="utf-8") as file:
            text = file.read()
    checks = Checks(json.loads(text))
    passed = failed = 0
    for name in [n for n in vars(Checks) if n.startswith("check_")]:
        title = name[len("check_"):].replace("_", " ")
        try:
            getattr(checks, name)()
        except Exception as error:  # a check that fails must not hide the others
            failed += 1
            print(f"FAIL simple-salesforce: {title}: {type(error).__name__}: {error}")
        else:
            passed += 1
            print(f"ok   simple-salesforce: {title}")
    print(f"{passed} passed, {failed} failed")
    sys.exit(1 if failed else 0)


main()
