using System.Net;
using KeycloakCreditBridge.Page.Audit;
using KeycloakCreditBridge.Tests.Storage;

namespace KeycloakCreditBridge.Tests.Page.Audit;

public sealed class AuditScreenTests(PostgresFixture postgres)
{
    private const string AddRow =
        "insert into audit_logs (user_id, action, result, metadata) values (@User, 'credit.test', 'success', @Metadata::jsonb)";

    [Theory]
    [InlineData("=1+1", "\"'=1+1\"")]
    [InlineData("@sum", "\"'@sum\"")]
    [InlineData("a \"quoted\" text", "\"a \"\"quoted\"\" text\"")]
    [InlineData(null, "")]
    public void A_cell_is_no_formula(string? text, string expected) => Assert.Equal(expected, Csv.Cell(text));

    [Fact]
    public async Task An_operator_sees_no_row_of_a_realm_of_others()
    {
        await using var fixture = await PageFixture.StartAsync(postgres);
        await fixture.Database.ExecuteAsync(AddRow, new { User = "one", Metadata = """{"realm":"demo","reason":"of demo"}""" });
        await fixture.Database.ExecuteAsync(AddRow, new { User = "two", Metadata = """{"realm":"shop","reason":"of shop"}""" });
        await fixture.Database.ExecuteAsync(AddRow, new { User = "three", Metadata = """{"reason":"of no realm"}""" });
        var browser = await fixture.SignedInAsync(PageFixture.Viewer);
        foreach (var path in (string[])["/page/audit?action=credit.test", "/page/audit.csv?action=credit.test"])
        {
            var answer = await browser.GetAsync(path);
            Assert.Contains("of demo", answer.Body, StringComparison.Ordinal);
            Assert.DoesNotContain("of shop", answer.Body, StringComparison.Ordinal);
            Assert.DoesNotContain("of no realm", answer.Body, StringComparison.Ordinal);
        }
    }

    [Fact]
    public async Task A_range_that_ends_before_it_begins_is_named()
    {
        await using var fixture = await PageFixture.StartAsync(postgres);
        var browser = await fixture.SignedInAsync(PageFixture.Viewer);
        var answer = await browser.GetAsync("/page/audit?from=2026-02-01&to=2026-01-01");
        Assert.Equal(HttpStatusCode.BadRequest, answer.Status);
        Assert.Contains("ends before it begins", answer.Body, StringComparison.Ordinal);
    }
}
