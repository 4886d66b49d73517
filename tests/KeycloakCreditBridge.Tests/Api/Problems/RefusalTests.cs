using System.Net;
using System.Text;
using System.Text.Json.Nodes;
using KeycloakCreditBridge.Tests.Credits;
using KeycloakCreditBridge.Tests.Metering;
using KeycloakCreditBridge.Tests.Storage;

namespace KeycloakCreditBridge.Tests.Api.Problems;

/// <summary>What cannot be answered is refused as a problem document, and nothing that was said is passed over.</summary>
public sealed class RefusalTests(PostgresFixture postgres) : IAsyncLifetime
{
    private const string Summary = "api/v1/credits/usage/summary";

    private CreditsFixture _fixture = null!;

    public async ValueTask InitializeAsync() =>
        _fixture = await CreditsFixture.StartAsync(postgres, ("Metering:ApiKeys:0", MeteringFixture.Key));

    public ValueTask DisposeAsync() => _fixture.DisposeAsync();

    [Theory]
    [InlineData("PUT", CreditsFixture.Balance, 405)]
    [InlineData("GET", "usage/litellm", 405)]
    [InlineData("GET", "no/such/path", 404)]
    [InlineData("POST", "api/v1/credits", 404)]
    public async Task Unknown_routes_are_answered_as_problem_documents(string method, string path, int status)
    {
        var answer = await _fixture.SendAsync(new HttpMethod(method), path, _fixture.TokenOf("u1"), null, null);
        Assert.Equal((status, "application/problem+json", status), ((int)answer.Status, answer.MediaType, (int)answer.Json["status"]!));
    }

    [Fact]
    public async Task An_internal_error_is_a_problem_document_without_its_details()
    {
        var id = await _fixture.AddUserAsync();
        await _fixture.Database.ExecuteAsync(
            "alter table user_credits alter column unlimited drop default, alter column unlimited type text using 'odd'");
        using var http = new HttpClient();
        using var request = new HttpRequestMessage(HttpMethod.Post, new Uri(_fixture.Bridge.Url, "beta/litellm_basic_guardrail_api"));
        request.Headers.Add("x-api-key", MeteringFixture.Key);
        request.Content =
            new StringContent(new JsonObject { ["request_data"] = new JsonObject { ["user_api_key_user_id"] = id } }.ToJsonString());
        var answer = await ApiReply.OfAsync(await http.SendAsync(request, TestContext.Current.CancellationToken));
        Assert.Equal((HttpStatusCode.InternalServerError, "application/problem+json"), (answer.Status, answer.MediaType));
        Assert.DoesNotContain("unlimited", answer.Body, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_compressed_body_is_refused_everywhere()
    {
        var id = await _fixture.AddUserAsync();
        using var http = new HttpClient();
        using var request = new HttpRequestMessage(HttpMethod.Post, new Uri(_fixture.Bridge.Url, CreditsFixture.Track));
        request.Headers.Add("Authorization", $"Bearer {_fixture.TokenOf(id)}");
        request.Content = new StringContent("""{"service":"s"}""", Encoding.UTF8, "application/json");
        request.Content.Headers.ContentEncoding.Add("gzip");
        Assert.Contains(
            "Content-Encoding", (await ApiReply.OfAsync(await http.SendAsync(request, TestContext.Current.CancellationToken))).Detail,
                StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("api/v1/credits/transactions", "limit=1&limit=2", "limit")]
    [InlineData("api/v1/credits/transactions", "offset=1&offset=1", "offset")]
    [InlineData("api/v1/credits/transactions", "cursor=a&cursor=", "cursor")]
    [InlineData("api/v1/llm/credits/history", "transaction_type=usage&transaction_type=bonus", "transaction_type")]
    [InlineData(Summary, "start_date=2026-01-01&start_date=2026-01-02", "start_date")]
    [InlineData(Summary, "end_date=2026-01-01&end_date=", "end_date")]
    public async Task A_parameter_that_is_there_twice_is_refused_by_name(string path, string query, string field)
    {
        var answer = await _fixture.GetAsync($"{path}?{query}", _fixture.TokenOf("u1"));
        Assert.Equal((HttpStatusCode.BadRequest, $"'{field}' occurs more than once."), (answer.Status, answer.Detail));
    }

    [Theory]
    [InlineData("01/02/2026")]
    [InlineData("12:00")]
    [InlineData("2026-1-2")]
    [InlineData("20260102")]
    [InlineData("2 January 2026")]
    [InlineData("2026-01-02T25:00:00Z")]
    public async Task A_time_that_is_not_ISO_8601_is_refused_by_name(string text)
    {
        var answer = await _fixture.GetAsync($"{Summary}?start_date={Uri.EscapeDataString(text)}", _fixture.TokenOf("u1"));
        Assert.Equal(HttpStatusCode.BadRequest, answer.Status);
        Assert.Contains("'start_date' is neither a date", answer.Detail, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("2026-01-31", "2026-01-31T00:00:00.000000+00:00")]
    [InlineData("2026-01-31T12:00", "2026-01-31T12:00:00.000000+00:00")]
    [InlineData("2026-01-31T12:00:00", "2026-01-31T12:00:00.000000+00:00")]
    [InlineData("2026-01-31T12:00:00Z", "2026-01-31T12:00:00.000000+00:00")]
    [InlineData("2026-01-31T12:00:00.123456+01:00", "2026-01-31T11:00:00.123456+00:00")]
    [InlineData("2026-01-31T12:00:00.1234567Z", "2026-01-31T12:00:00.123456+00:00")]
    public async Task A_time_in_ISO_8601_is_understood(string text, string start)
    {
        var answer = await _fixture.GetAsync($"{Summary}?start_date={Uri.EscapeDataString(text)}", _fixture.TokenOf("u1"));
        Assert.Equal(start, (string?)answer.Json["period"]!["start"]);
    }

    [Fact]
    public async Task The_history_of_one_type_has_the_length_of_that_type()
    {
        var id = await _fixture.AddUserAsync();
        var token = _fixture.TokenOf(id);
        for (var number = 0; number < 3; number++)
            await _fixture.PostAsync(CreditsFixture.Track, token, new JsonObject { ["service"] = "s" });
        foreach (var (query, total) in ((string, int)[])[("limit=1", 4), ("limit=1&transaction_type=usage", 3),
            ("transaction_type=refund", 0)])
            Assert.Equal(total, (int)(await _fixture.GetAsync($"api/v1/llm/credits/history?{query}", token)).Json["total"]!);
    }

    [Theory]
    [InlineData(CreditsFixture.Refund)]
    [InlineData(CreditsFixture.Track)]
    [InlineData(CreditsFixture.Deduct)]
    public async Task A_request_sent_again_under_its_key_is_done_once_and_answered_the_same(string path)
    {
        var id = await _fixture.AddUserAsync();
        var admin = _fixture.TokenOf("a1", CreditsFixture.Admin);
        var body = new JsonObject
        {
            ["user_id"] = id, ["amount"] = 1, ["reason"] = "outage", ["service"] = "s", ["cost"] = "1", ["tokens"] = 7,
                ["metadata"] = new JsonObject { ["a"] = 1 },
        };
        var first = await _fixture.PostAsync(path, admin, body, "key-1");
        Assert.Equal(HttpStatusCode.OK, first.Status);
        await _fixture.PostAsync(CreditsFixture.Allocate, admin, new JsonObject { ["user_id"] = id, ["amount"] = 10, ["source"] = "s" });
        var again = await _fixture.PostAsync(path, admin, body, "key-1");
        Assert.Equal((first.Status, first.Body), (again.Status, again.Body));
        Assert.Equal(path == CreditsFixture.Refund ? 16m : 14m, await _fixture.BalanceOfAsync(id));
    }
}
