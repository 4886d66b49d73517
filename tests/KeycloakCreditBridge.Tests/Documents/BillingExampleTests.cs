using System.Net;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using KeycloakCreditBridge.Tests.Credits;
using KeycloakCreditBridge.Tests.Storage;

namespace KeycloakCreditBridge.Tests.Documents;

/// <summary>The requests of docs/billing.md are what its tables make of its events, and each is done once.</summary>
public sealed partial class BillingExampleTests(PostgresFixture postgres)
{
    private const string User = "8b1f6b1e-6f5c-4b6e-9d0e-3f0c7c1d2a10";

    private static readonly string Page = File.ReadAllText(Path.Combine(Repository.Top, "docs", "billing.md"));

    [Theory]
    [InlineData("STRIPE", "api/v1/credits/allocate")]
    [InlineData("LAGO", "api/v1/credits/tiers/switch")]
    public void The_request_follows_from_the_event(string example, string path)
    {
        var (payload, rows, key, body, address) = Read(example);
        Assert.Equal(path, address);
        var made = new JsonObject();
        foreach (var (name, value) in rows.Where(row => row.Name != "Idempotency-Key"))
            Set(made, name, Fill(value, payload));
        Assert.Equal(key, Fill(rows.Single(row => row.Name == "Idempotency-Key").Value, payload));
        Assert.True(JsonNode.DeepEquals(made, body), $"{made.ToJsonString()} is not {body.ToJsonString()}");
    }

    [Fact]
    public async Task Each_payment_counts_once_however_often_it_is_delivered()
    {
        await using var fixture = await CreditsFixture.StartAsync(postgres);
        var token = fixture.TokenOf("billing", CreditsFixture.Admin);
        await fixture.GetAsync(CreditsFixture.Balance, fixture.TokenOf(User));
        await fixture.HintsDoneAsync();
        foreach (var example in new[] { "STRIPE", "LAGO" })
        {
            var (_, _, key, body, path) = Read(example);
            var first = await fixture.PostAsync(path, token, body, key);
            var again = await fixture.PostAsync(path, token, body, key);
            Assert.True(first.Status == HttpStatusCode.OK, $"{path}: {first.Status} {first.Body}");
            Assert.Equal((first.Status, $"{first.Body}"), (again.Status, $"{again.Body}"));
        }

        Assert.Equal(20m, await fixture.Database.ScalarAsync<decimal>(
            "select sum(amount) from credit_transactions where transaction_type = 'purchase' and metadata ->> 'payment' = 'cs_a1b2'"));
        Assert.Equal("professional", await fixture.Database.ScalarAsync<string>(
            "select tier from user_credits where user_id = @User", new { User }));
    }

    private static Example Read(string example)
    {
        var section = Page[Page.IndexOf($"\n{example}='", StringComparison.Ordinal)..];
        var payload = JsonNode.Parse(Quoted().Match(section).Groups["json"].Value)!;
        var request = Request().Match(section);
        var rows = Row().Matches(section[..request.Index]).Select(row => (row.Groups["name"].Value, row.Groups["value"].Value)).ToList();
        return new Example(
            payload, rows, request.Groups["key"].Value, JsonNode.Parse(request.Groups["body"].Value)!.AsObject(),
            request.Groups["path"].Value);
    }

    private static string Fill(string template, JsonNode payload) => Place().Replace(
        template, place => place.Groups["path"].Value.Split('.').Aggregate(payload, (node, name) => node[name]!).GetValue<string>());

    private static void Set(JsonObject target, string name, string value)
    {
        var parts = name.Split('.');
        foreach (var part in parts[..^1])
        {
            target[part] ??= new JsonObject();
            target = target[part]!.AsObject();
        }

        target[parts[^1]] = value;
    }

    [GeneratedRegex("='(?<json>[^']+)'")]
    private static partial Regex Quoted();

    [GeneratedRegex("^\\| `(?<name>[^`]+)` \\| `(?<value>[^`]+)` \\|$", RegexOptions.Multiline)]
    private static partial Regex Row();

    [GeneratedRegex(@"\{(?<path>[a-z_.]+)\}")]
    private static partial Regex Place();

    [GeneratedRegex(@"'Idempotency-Key: (?<key>[^']+)'.*?-d '(?<body>[^']+)'.*?http://bridge:8085/(?<path>\S+)", RegexOptions.Singleline)]
    private static partial Regex Request();

    private sealed record Example(
        JsonNode Payload, IReadOnlyList<(string Name, string Value)> Rows, string Key, JsonObject Body, string Path);
}
