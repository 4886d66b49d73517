using System.Net;
using System.Net.Http.Headers;
using System.Text;
using System.Text.Json.Nodes;
using KeycloakCreditBridge.Intake.Authentication;
using KeycloakCreditBridge.Intake.Webhooks;
using KeycloakCreditBridge.Intake.Webhooks.Formats;
using KeycloakCreditBridge.Keycloak;
using KeycloakCreditBridge.Tests.Storage;

namespace KeycloakCreditBridge.Tests.Intake.Webhooks.Formats;

public sealed class CloudEventTests(PostgresFixture postgres)
{
    private const string Users = "select keycloak_id from user_hints order by 1";

    public static TheoryData<string> Names => Plugins.Names;

    [Theory]
    [MemberData(nameof(Names))]
    public void Every_recorded_body_is_read_as_data_in_each_way(string name)
    {
        var plugin = Plugins.Named(name);
        foreach (WebhookFormat? pinned in (WebhookFormat?[])[null, WebhookFormat.CloudEvents])
        {
            var bodies = Deliveries.RecordedIn(plugin.File).Select(sent => sent.Body).ToList();
            Assert.Equal(plugin.Hints, bodies.Select(body => Hint(body, Envelope.Binary, pinned)));
            Assert.Equal(plugin.Hints, bodies.Select(body => Hint(Structured(body, encoded: false), Envelope.Structured, pinned)));
            Assert.Equal(plugin.Hints, bodies.Select(body => Hint(Structured(body, encoded: true), Envelope.Structured, pinned)));
        }
    }

    [Fact]
    public async Task Both_ways_are_taken_over_HTTP_and_only_signed()
    {
        await using var database = await postgres.CreateDatabaseAsync();
        await using var host = await StartAsync(database);
        var body = Structured(Encoding.UTF8.GetBytes(Deliveries.UserEvent("u1")), encoded: false);
        Assert.Equal(HttpStatusCode.NoContent, (await host.DeliverAsync(body, change: AsStructured)).Status);
        Assert.Equal(HttpStatusCode.NoContent, (await host.DeliverAsync(Deliveries.UserEvent("u2"), change: AsBinary)).Status);
        var (status, _, _) = await host.DeliverAsync(body, change: request =>
        {
            AsStructured(request);
            request.Headers.Remove(HmacSignature.Header);
        });
        Assert.Equal(HttpStatusCode.Unauthorized, status);
        Assert.Equal(["u1", "u2"], await database.QueryAsync<string>(Users));
    }

    [Theory]
    [InlineData("ce-specversion", "0.3")]
    [InlineData("ce-id", null)]
    [InlineData("ce-source", "")]
    [InlineData("ce-type", null)]
    public async Task A_binary_one_without_its_headers_is_a_bad_request(string header, string? value)
    {
        await using var database = await postgres.CreateDatabaseAsync();
        await using var host = await StartAsync(database);
        var (status, answer, _) = await host.DeliverAsync(Deliveries.UserEvent("u1"), change: request =>
        {
            AsBinary(request);
            request.Headers.Remove(header);
            if (value is not null)
                request.Headers.TryAddWithoutValidation(header, value);
        });
        Assert.Equal(HttpStatusCode.BadRequest, status);
        Assert.Contains(header, answer, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("application/cloudevents-batch+json")]
    [InlineData("application/cloudevents+xml")]
    [InlineData("application/cloudevents+json; charset=utf-16")]
    public async Task Batches_and_other_encodings_are_refused(string type)
    {
        await using var database = await postgres.CreateDatabaseAsync();
        await using var host = await StartAsync(database);
        var body = Structured(Encoding.UTF8.GetBytes(Deliveries.UserEvent("u1")), encoded: false);
        var (status, _, _) = await host.DeliverAsync(
            body, change: request => request.Content!.Headers.ContentType = MediaTypeHeaderValue.Parse(type));
        Assert.Equal(HttpStatusCode.UnsupportedMediaType, status);
    }

    [Theory]
    [InlineData("""{"type":"access.REGISTER","authDetails":{"userId":"u1"}}""", "'specversion'")]
    [InlineData("""{"specversion":"0.3","id":"1","source":"/kc","type":"t","data":{}}""", "'specversion'")]
    [InlineData("""{"specversion":"1.0","source":"/kc","type":"t","data":{}}""", "'id'")]
    [InlineData("""{"specversion":"1.0","id":"1","source":"","type":"t","data":{}}""", "'source'")]
    [InlineData("""{"specversion":"1.0","id":"1","source":"/kc","type":null,"data":{}}""", "'type'")]
    [InlineData("""{"specversion":"1.0","id":"1","source":"/kc","type":"t"}""", "'data'")]
    [InlineData("""{"specversion":"1.0","id":"1","source":"/kc","type":"t","data":"{}"}""", "'data'")]
    [InlineData("""{"specversion":"1.0","id":"1","source":"/kc","type":"t","data":null}""", "'data'")]
    [InlineData("""{"specversion":"1.0","id":"1","source":"/kc","type":"t","data":{}}""", "'type'")]
    [InlineData("""{"specversion":"1.0","id":"1","source":"/kc","type":"t","data_base64":"!"}""", "$.data_base64")]
    [InlineData("""{"specversion":"1.0","id":"1","source":"/kc","type":"t","data":{"specversion":"1.0"}}""", "inside another")]
    [InlineData("""{"specversion":"1.0","id":"1","source":"/kc","type":"t","data":{},"data_base64":"e30="}""", "'data_base64'")]
    [InlineData("""{"specversion":"1.0","id":"1","source":"/kc","type":"t","d\u0061ta":{},"data_base64":"e30="}""", "'data_base64'")]
    [InlineData("""{"specversion":"1.0","id":"1","source":"/kc","type":"t","data":{},"d\u0061ta":{}}""", "twice")]
    [InlineData("""{"specversion":"0.3","specversion":"1.0","id":"1","source":"/kc","type":"t","data":{}}""", "$.specversion")]
    [InlineData("""{"specversion":"1.0","id":"1","source":"/kc","type":"t","data":{"type":"a","type":"b"}}""", "$.type")]
    [InlineData("[]", "JSON object")]
    [InlineData("", "JSON object")]
    public void An_incomplete_structured_one_is_named(string body, string named) => Assert.Contains(
        named,
        Assert.Throws<MalformedDeliveryException>(() => Hint(Encoding.UTF8.GetBytes(body), Envelope.Structured, null)).Message,
        StringComparison.Ordinal);

    [Fact]
    public void Names_of_members_may_be_written_with_escapes()
    {
        var body = Encoding.UTF8.GetString(Structured(Encoding.UTF8.GetBytes(Deliveries.UserEvent("u1")), encoded: false));
        foreach (var (name, escaped) in ((string, string)[])[
            ("\"data\":", "\"d\\u0061ta\":"), ("\"specversion\"", "\"\\u0073pecversion\""), ("\"userId\"", "\"user\\u0049d\"")])
        {
            body = body.Replace(name, escaped, StringComparison.Ordinal);
            Assert.Contains(escaped, body, StringComparison.Ordinal);
            Assert.Contains(" u1 ", Hint(Encoding.UTF8.GetBytes(body), Envelope.None, null), StringComparison.Ordinal);
        }
    }

    [Fact]
    public void It_is_refused_where_another_format_is_pinned_and_asked_for_where_it_is()
    {
        var body = Encoding.UTF8.GetBytes(Deliveries.UserEvent("u1"));
        Assert.Throws<MalformedDeliveryException>(() => DeliveryReader.Read(body, Envelope.None, WebhookFormat.CloudEvents));
        Assert.Throws<MalformedDeliveryException>(() => DeliveryReader.Read(body, Envelope.Binary, WebhookFormat.PhaseTwo));
        Assert.Throws<MalformedDeliveryException>(
            () => DeliveryReader.Read(Structured(body, encoded: false), Envelope.Structured, WebhookFormat.PhaseTwo));
    }

    /// <summary>A CloudEvent with this body as data.</summary>
    internal static byte[] Structured(byte[] body, bool encoded)
    {
        var cloudEvent = new JsonObject
        {
            ["specversion"] = "1.0", ["id"] = "1", ["source"] = "/keycloak", ["type"] = "keycloak",
            ["datacontenttype"] = "application/json",
        };
        if (encoded)
            cloudEvent["data_base64"] = Convert.ToBase64String(body);
        else
            cloudEvent["data"] = JsonNode.Parse(body);
        return Encoding.UTF8.GetBytes(cloudEvent.ToJsonString());
    }

    private static async Task<IntakeFixture> StartAsync(TestDatabase database)
    {
        var host = await IntakeFixture.StartAsync(database.ConnectionString);
        await host.SchemaReadyAsync();
        return host;
    }

    private static void AsStructured(HttpRequestMessage request) =>
        request.Content!.Headers.ContentType = MediaTypeHeaderValue.Parse("application/cloudevents+json; charset=utf-8");

    private static void AsBinary(HttpRequestMessage request)
    {
        foreach (var (name, value) in (
            (string, string)[])[("ce-specversion", "1.0"), ("ce-id", "1"), ("ce-source", "/kc"), ("ce-type", "t")])
            request.Headers.Add(name, value);
    }

    private static string? Hint(byte[] body, Envelope envelope, WebhookFormat? pinned) =>
        DeliveryReader.Read(body, envelope, pinned).HintFor("demo") is { } hint ? $"{hint.Kind} {hint.UserId} {hint.Cause}" : null;
}
