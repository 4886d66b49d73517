using System.Net;
using System.Net.Http.Headers;
using System.Text;
using System.Text.Json.Nodes;
using KeycloakCreditBridge.Tests.Credits;
using KeycloakCreditBridge.Tests.Storage;

namespace KeycloakCreditBridge.Tests.Api.Requests;

public sealed class BodyTests(PostgresFixture postgres) : IAsyncLifetime
{
    private const string Garbled = "The body is not JSON, or names a field twice.";

    private readonly HttpClient _http = new();
    private CreditsFixture _fixture = null!;
    private string _service = "";
    private string _id = "";

    public async ValueTask InitializeAsync()
    {
        _fixture = await CreditsFixture.StartAsync(postgres);
        _service = _fixture.TokenOf("s1", CreditsFixture.Service);
        _id = await _fixture.AddUserAsync();
    }

    public ValueTask DisposeAsync()
    {
        _http.Dispose();
        return _fixture.DisposeAsync();
    }

    [Theory]
    [InlineData("""
        "service":"\ud800"
        """)]
    [InlineData("""
        "service":"s","metadata":{"a":1,"a":2}
        """)]
    [InlineData("""
        "service":"s","metadata":{"a":1,"\u0061":2}
        """)]
    [InlineData("""
        "service":"s","service":"t"
        """)]
    [InlineData("""
        "service":"s","metadata":{"\udc00":1}
        """)]
    [InlineData("""
        "service":"s","metadata":{"a":["\ud800"]}
        """)]
    [InlineData("""
        "service":"s","\ud800":1
        """)]
    public async Task Invalid_text_and_duplicate_names_are_refused(string fields)
    {
        var answer = await DeductAsync(fields);
        Assert.Equal((HttpStatusCode.BadRequest, Garbled), (answer.Status, answer.Detail));
        Assert.Equal("purchase 5.000000 5.000000", await _fixture.LedgerOfAsync(_id));
    }

    [Theory]
    [InlineData("service")]
    [InlineData("metadata")]
    public async Task Bytes_that_are_not_UTF_8_are_refused(string place)
    {
        var fields = place == "service" ? "\"service\":\"#\"" : "\"service\":\"s\",\"metadata\":{\"#\":1}";
        var bytes = Encoding.UTF8.GetBytes(Body(fields));
        bytes[Array.IndexOf(bytes, (byte)'#')] = 0xff;
        using var request = new HttpRequestMessage(HttpMethod.Post,
            new Uri(_fixture.Bridge.Url, CreditsFixture.Deduct)) { Content = new ByteArrayContent(bytes) };
        request.Content.Headers.ContentType = new MediaTypeHeaderValue("application/json");
        request.Headers.TryAddWithoutValidation("Authorization", $"Bearer {_service}");
        var answer = await ApiReply.OfAsync(await _http.SendAsync(request, TestContext.Current.CancellationToken));
        Assert.Equal((HttpStatusCode.BadRequest, Garbled), (answer.Status, answer.Detail));
    }

    [Theory]
    [InlineData("metadata", """{"a":1e131071}""", "holds a number")]
    [InlineData("metadata", """{"a":[{"b":-1E+31}]}""", "holds a number")]
    [InlineData("metadata", """{"a":1e-31}""", "holds a number")]
    [InlineData("metadata", """{"a":1e99999999999}""", "holds a number")]
    [InlineData("metadata", """{"a":12345678901234567890123456789012345678901}""", "holds a number")]
    [InlineData("cost_breakdown", """{"a":1e131071}""", "holds a number")]
    [InlineData("cost_breakdown", """{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":1}}}}}}}}}""", "is deeper than 8")]
    [InlineData("metadata", """{"a":[[[[[[[[]]]]]]]]}""", "is deeper than 8")]
    [InlineData("metadata", """{"a":["\u0000"]}""", "contains a zero character")]
    [InlineData("metadata", """{"a":{"b\u0000":1}}""", "contains a zero character")]
    [InlineData("cost_breakdown", """{"a":"b\u0000c"}""", "contains a zero character")]
    public async Task An_object_that_would_grow_or_be_refused_in_the_database_is_refused_by_name(string field, string value, string problem)
    {
        var answer = await DeductAsync($"\"service\":\"s\",\"{field}\":{value}");
        Assert.Equal(HttpStatusCode.BadRequest, answer.Status);
        Assert.Contains($"'{field}' {problem}", answer.Detail, StringComparison.Ordinal);
        Assert.NotNull(answer.Json["errors"]![field]);
        Assert.Equal("purchase 5.000000 5.000000", await _fixture.LedgerOfAsync(_id));
    }

    [Fact]
    public async Task An_object_of_8_KB_is_kept_and_a_longer_one_is_refused_by_name()
    {
        // The quotes, the colon and the braces are seven bytes; the letter is two.
        var longest = new string('ü', 4092) + "x";
        Assert.Equal(HttpStatusCode.OK, (await DeductAsync($$"""
            "service":"s","metadata":{"a":"{{longest[1..]}}"}
            """)).Status);
        var answer = await DeductAsync($$"""
            "service":"s","metadata":{"a":"{{longest}}"}
            """);
        Assert.Equal((HttpStatusCode.BadRequest, "'metadata' is longer than 8192 bytes."), (answer.Status, answer.Detail));
    }

    [Fact]
    public async Task Usual_numbers_and_depths_are_kept_as_they_are()
    {
        var answer = await DeductAsync("""
            "service":"s","metadata":{"a":[1.5e30,-2e-30,0.1234567890123456789],"b":{"c":{"d":{"e":{"f":{"g":[7]}}}}}}
            """);
        Assert.Equal(HttpStatusCode.OK, answer.Status);
        Assert.Equal(
            "0.1234567890123456789",
            await _fixture.Database.ScalarAsync<string>(
                "select metadata -> 'a' ->> 2 from credit_transactions where transaction_type = 'usage'"));
    }

    [Fact]
    public async Task Metadata_cannot_replace_what_the_bridge_writes_itself()
    {
        var body = JsonNode.Parse(
            Body("\"source\":\"s\",\"metadata\":{\"amount\":\"0.01\",\"balance\":\"9\",\"by\":\"other\",\"own\":1}"))!.AsObject();
        Assert.Equal(HttpStatusCode.OK, (await _fixture.PostAsync(CreditsFixture.Allocate, _fixture.TokenOf("a1", CreditsFixture.Admin),
            body)).Status);
        Assert.Equal(
            """{"by": "a1", "own": 1, "amount": "1.000000", "source": "s", "balance": "6.000000"}""",
            await _fixture.Database.ScalarAsync<string>("select metadata::text from audit_logs where action = 'credit.allocate'"));
    }

    [Fact]
    public async Task Paid_usage_is_never_counted_as_free()
    {
        Assert.Equal(HttpStatusCode.OK, (await DeductAsync("\"service\":\"s\",\"metadata\":{\"is_free\":true,\"own\":1}")).Status);
        var summary = (await _fixture.GetAsync($"api/v1/credits/usage/summary?user_id={_id}", _service)).Json;
        Assert.Equal((0, 1), ((int)summary["free_tier_events"]!, (int)summary["paid_tier_events"]!));
        Assert.Equal(
            """{"by": "s1", "own": 1}""",
            await _fixture.Database.ScalarAsync<string>("select metadata::text from credit_transactions where transaction_type = 'usage'"));
    }

    private string Body(string fields) => $$"""{"user_id":"{{_id}}","amount":1,{{fields}}}""";

    private Task<ApiReply> DeductAsync(string fields) => _fixture.SendAsync(HttpMethod.Post, CreditsFixture.Deduct, _service, Body(fields),
        null);
}
