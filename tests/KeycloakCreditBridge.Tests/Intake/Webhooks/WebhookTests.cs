using System.Net;
using System.Net.Http.Headers;
using System.Text;
using System.Text.Json;
using KeycloakCreditBridge.Intake.Authentication;
using KeycloakCreditBridge.Tests.Storage;

namespace KeycloakCreditBridge.Tests.Intake.Webhooks;

public sealed class WebhookTests(PostgresFixture postgres)
{
    private const string Hints = "select realm || ' ' || keycloak_id || ' ' || cause || ' ' || source from user_hints order by 1";

    [Fact]
    public async Task Every_recorded_delivery_is_taken_and_its_users_are_hinted()
    {
        await using var database = await postgres.CreateDatabaseAsync();
        await using var host = await StartAsync(database);
        foreach (var (body, signature) in Deliveries.Recorded())
        {
            var (status, _, _) = await host.DeliverAsync(body, change: request => Sign(request, signature));
            Assert.Equal(HttpStatusCode.NoContent, status);
        }

        Assert.Equal(14, await database.ScalarAsync<int>("select count(*)::int from user_hints"));
        Assert.Equal(
            "CLIENT_ROLE_MAPPING-CREATE",
            await database.ScalarAsync<string>("select cause from user_hints where keycloak_id = 'b75a6b43-32ef-4ab0-9abd-d3b2e31bce61'"));
    }

    [Fact]
    public async Task A_registration_is_a_hint_by_either_path_when_one_realm_is_configured()
    {
        await using var database = await postgres.CreateDatabaseAsync();
        await using var host = await StartAsync(database);
        Assert.Equal(HttpStatusCode.NoContent, (await host.DeliverAsync(Deliveries.UserEvent("u1"))).Status);
        Assert.Equal(
            HttpStatusCode.NoContent, (await host.DeliverAsync(Deliveries.UserEvent("f:Zq2:ana 'né'"), "webhooks/keycloak")).Status);
        Assert.Equal(["demo f:Zq2:ana 'né' REGISTER webhook", "demo u1 REGISTER webhook"], await database.QueryAsync<string>(Hints));
    }

    [Fact]
    public async Task Several_realms_are_told_apart_by_path_and_secret()
    {
        await using var database = await postgres.CreateDatabaseAsync();
        await using var host = await StartAsync(
            database, ("Keycloak:Realms:1:Name", "två"), ("Keycloak:Realms:1:WebhookSecrets:0", "another-secret-altogether"));
        var body = Encoding.UTF8.GetBytes(Deliveries.UserEvent("u1", realm: "två"));
        Assert.Equal(HttpStatusCode.Unauthorized, (await host.DeliverAsync(body, "webhooks/keycloak/tv%C3%A5")).Status);
        Assert.Equal(
            HttpStatusCode.NoContent,
            (await host.DeliverAsync(
                body, "webhooks/keycloak/tv%C3%A5", request => Sign(request, Deliveries.Sign(body, "another-secret-altogether")))).Status);
        var (status, answer, _) = await host.DeliverAsync(body, "webhooks/keycloak");
        Assert.Equal(HttpStatusCode.NotFound, status);
        Assert.Contains("name one", answer, StringComparison.Ordinal);
        Assert.Equal(["två u1 REGISTER webhook"], await database.QueryAsync<string>(Hints));
    }

    [Fact]
    public async Task Both_secrets_count_during_a_rotation()
    {
        await using var database = await postgres.CreateDatabaseAsync();
        await using var host = await StartAsync(database, ("Keycloak:Realms:0:WebhookSecrets:1", "the-next-secret-of-demo"));
        var body = Encoding.UTF8.GetBytes(Deliveries.UserEvent("u1"));
        foreach (var secret in (string[])[Deliveries.Secret, "the-next-secret-of-demo", "a-former-secret-of-demo"])
        {
            var (status, _, _) = await host.DeliverAsync(body, change: request => Sign(request, Deliveries.Sign(body, secret)));
            Assert.Equal(secret == "a-former-secret-of-demo" ? HttpStatusCode.Unauthorized : HttpStatusCode.NoContent, status);
        }
    }

    [Theory]
    [InlineData(null, "is missing")]
    [InlineData("", "is empty")]
    [InlineData("abc", "is not 64 hexadecimal digits")]
    [InlineData("0000000000000000000000000000000000000000000000000000000000000000", "was not made from this body")]
    public async Task Without_a_right_signature_nothing_is_stored(string? signature, string explanation)
    {
        await using var database = await postgres.CreateDatabaseAsync();
        await using var host = await StartAsync(database);
        var (status, answer, _) = await host.DeliverAsync(Deliveries.UserEvent("u1"), change: request => Sign(request, signature));
        Assert.Equal(HttpStatusCode.Unauthorized, status);
        Assert.Contains(explanation, answer, StringComparison.Ordinal);
        Assert.DoesNotContain(Deliveries.Secret, answer, StringComparison.Ordinal);
        Assert.Empty(await database.QueryAsync<string>(Hints));
    }

    [Fact]
    public async Task A_doubled_signature_is_refused_even_when_both_are_right()
    {
        await using var database = await postgres.CreateDatabaseAsync();
        await using var host = await StartAsync(database);
        var body = Encoding.UTF8.GetBytes(Deliveries.UserEvent("u1"));
        var (status, _, _) = await host.DeliverAsync(
            body, change: request => request.Headers.Add(HmacSignature.Header, Deliveries.Sign(body)));
        Assert.Equal(HttpStatusCode.Unauthorized, status);
    }

    [Theory]
    [InlineData(false, HttpStatusCode.Unauthorized)]
    [InlineData(true, HttpStatusCode.NoContent)]
    public async Task A_realm_without_a_secret_takes_only_what_the_operator_allows(bool allowUnsigned, HttpStatusCode expected)
    {
        await using var database = await postgres.CreateDatabaseAsync();
        await using var host = await StartAsync(
            database, ("Keycloak:Realms:0:WebhookSecrets:0", null), ("Intake:Webhook:AllowUnsigned", $"{allowUnsigned}"));
        Assert.Equal(expected, (await host.DeliverAsync(Deliveries.UserEvent("u1"), change: request => Sign(request, null))).Status);
    }

    [Fact]
    public async Task A_realm_with_a_secret_never_takes_an_unsigned_delivery()
    {
        await using var database = await postgres.CreateDatabaseAsync();
        await using var host = await StartAsync(database, ("Intake:Webhook:AllowUnsigned", "true"));
        var (status, _, _) = await host.DeliverAsync(Deliveries.UserEvent("u1"), change: request => Sign(request, null));
        Assert.Equal(HttpStatusCode.Unauthorized, status);
    }

    [Fact]
    public async Task An_unknown_realm_is_not_found()
    {
        await using var database = await postgres.CreateDatabaseAsync();
        await using var host = await StartAsync(database);
        Assert.Equal(HttpStatusCode.NotFound, (await host.DeliverAsync(Deliveries.UserEvent("u1"), "webhooks/keycloak/Demo")).Status);
    }

    [Theory]
    [InlineData("application/json", HttpStatusCode.NoContent)]
    [InlineData("Application/JSON; charset=utf-8", HttpStatusCode.NoContent)]
    [InlineData("application/json; charset=\"UTF-8\"", HttpStatusCode.NoContent)]
    [InlineData("application/json; charset=utf-16", HttpStatusCode.UnsupportedMediaType)]
    [InlineData("text/plain", HttpStatusCode.UnsupportedMediaType)]
    [InlineData(null, HttpStatusCode.UnsupportedMediaType)]
    public async Task Only_JSON_is_taken(string? type, HttpStatusCode expected)
    {
        await using var database = await postgres.CreateDatabaseAsync();
        await using var host = await StartAsync(database);
        var (status, _, _) = await host.DeliverAsync(
            Deliveries.UserEvent("u1"),
            change: request => request.Content!.Headers.ContentType = type is null ? null : MediaTypeHeaderValue.Parse(type));
        Assert.Equal(expected, status);
    }

    [Theory]
    [InlineData("gzip", HttpStatusCode.UnsupportedMediaType)]
    [InlineData("identity", HttpStatusCode.NoContent)]
    public async Task A_compressed_body_is_refused(string encoding, HttpStatusCode expected)
    {
        await using var database = await postgres.CreateDatabaseAsync();
        await using var host = await StartAsync(database);
        var (status, _, _) = await host.DeliverAsync(
            Deliveries.UserEvent("u1"), change: request => request.Content!.Headers.ContentEncoding.Add(encoding));
        Assert.Equal(expected, status);
    }

    [Theory]
    [InlineData(1024 * 1024, HttpStatusCode.NoContent)]
    [InlineData((1024 * 1024) + 1, HttpStatusCode.RequestEntityTooLarge)]
    public async Task A_body_beyond_the_limit_is_refused_whether_or_not_its_length_is_told(int length, HttpStatusCode expected)
    {
        await using var database = await postgres.CreateDatabaseAsync();
        await using var host = await StartAsync(database);
        var body = Encoding.UTF8.GetBytes(Deliveries.UserEvent("u1").PadRight(length));
        Assert.Equal(expected, (await host.DeliverAsync(body)).Status);
        Assert.Equal(expected, (await host.DeliverAsync(body, change: request => request.Headers.TransferEncodingChunked = true)).Status);
    }

    [Theory]
    [InlineData("not json", "not one JSON object")]
    [InlineData("[]", "not one JSON object")]
    [InlineData("{}", "'type'")]
    [InlineData("{\"type\":\"access.LOGIN\",\"realmName\":\"other\"}", "'realmName'")]
    [InlineData("{\"type\":\"access.LOGIN\",\"authDetails\":{\"userId\":\"a\\u0000b\"}}", "user id")]
    [InlineData("{\"type\":\"admin.USER-CREATE\",\"resourcePath\":\"users/a\\nb\"}", "user id")]
    public async Task A_malformed_body_is_a_bad_request_that_says_what_is_wrong(string body, string named)
    {
        await using var database = await postgres.CreateDatabaseAsync();
        await using var host = await StartAsync(database);
        var (status, answer, _) = await host.DeliverAsync(body);
        Assert.Equal(HttpStatusCode.BadRequest, status);
        Assert.Contains(named, JsonDocument.Parse(answer).RootElement.GetProperty("detail").GetString(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task An_id_of_255_characters_is_taken_and_one_of_256_is_named()
    {
        await using var database = await postgres.CreateDatabaseAsync();
        await using var host = await StartAsync(database);
        Assert.Equal(HttpStatusCode.NoContent, (await host.DeliverAsync(Deliveries.UserEvent(new string('ñ', 255)))).Status);
        var (status, answer, _) = await host.DeliverAsync(Deliveries.UserEvent(new string('ñ', 256)));
        Assert.Equal(HttpStatusCode.BadRequest, status);
        Assert.Contains("256 characters", answer, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("access.LOGIN_ERROR")]
    [InlineData("access.CLIENT_LOGIN")]
    [InlineData("system.STARTED")]
    [InlineData("admin.REALM-UPDATE")]
    public async Task An_irrelevant_event_is_answered_and_not_stored(string type)
    {
        await using var database = await postgres.CreateDatabaseAsync();
        await using var host = await StartAsync(database);
        Assert.Equal(HttpStatusCode.NoContent, (await host.DeliverAsync(Deliveries.UserEvent("u1", type))).Status);
        Assert.Empty(await database.QueryAsync<string>(Hints));
    }

    private static async Task<IntakeFixture> StartAsync(TestDatabase database, params (string Key, string? Value)[] settings)
    {
        var host = await IntakeFixture.StartAsync(database.ConnectionString, settings);
        await host.SchemaReadyAsync();
        return host;
    }

    private static void Sign(HttpRequestMessage request, string? signature)
    {
        request.Headers.Remove(HmacSignature.Header);
        if (signature is not null)
            request.Headers.TryAddWithoutValidation(HmacSignature.Header, signature);
    }
}
