using System.Net;
using System.Net.Http.Headers;
using System.Text;
using KeycloakCreditBridge.Keycloak;
using KeycloakCreditBridge.Tests.Storage;

namespace KeycloakCreditBridge.Tests.Intake.Webhooks;

public sealed class WebhookPluginTests(PostgresFixture postgres)
{
    private const string Users = "select keycloak_id from user_hints order by 1";

    public static TheoryData<string> Names => Plugins.Names;

    [Theory]
    [MemberData(nameof(Names))]
    public async Task A_delivery_of_each_plugin_hints_the_user_concerned(string name)
    {
        var plugin = Plugins.Named(name);
        await using var database = await postgres.CreateDatabaseAsync();
        await using var host = await StartAsync(database, plugin);
        foreach (var (body, headers) in Deliveries.RecordedIn(plugin.File))
            Assert.Equal(HttpStatusCode.NoContent, (await host.DeliverAsync(body, change: request => Send(request, headers))).Status);

        var users = plugin.Hints.OfType<string>().Select(hint => hint.Split(' ')[1]).Distinct().Order(StringComparer.Ordinal);
        Assert.Equal(users, await database.QueryAsync<string>(Users));
    }

    [Theory]
    [MemberData(nameof(Names))]
    public async Task An_altered_delivery_is_refused(string name)
    {
        var plugin = Plugins.Named(name);
        await using var database = await postgres.CreateDatabaseAsync();
        await using var host = await StartAsync(database, plugin);
        foreach (var (body, headers) in Deliveries.RecordedIn(plugin.File))
        {
            var credential = headers[plugin.Header];
            foreach (var forged in (string?[])[null, "", credential[..^2], Flipped(credential), credential + "0"])
            {
                var (status, answer, _) = await host.DeliverAsync(body, change: request => Send(request, headers, plugin.Header, forged));
                Assert.Equal(HttpStatusCode.Unauthorized, status);
                Assert.DoesNotContain(plugin.Secrets[0], answer, StringComparison.Ordinal);
            }

            if (plugin.Authentication == WebhookAuthentication.Hmac)
                Assert.Equal(
                    HttpStatusCode.Unauthorized,
                    (await host.DeliverAsync([.. body, (byte)' '], change: request => Send(request, headers))).Status);
        }

        Assert.Empty(await database.QueryAsync<string>(Users));
    }

    [Theory]
    [MemberData(nameof(Names))]
    public async Task Authentication_by_another_scheme_is_refused(string name)
    {
        var plugin = Plugins.Named(name);
        await using var database = await postgres.CreateDatabaseAsync();
        await using var host = await StartAsync(database, plugin);
        var body = Deliveries.RecordedIn(plugin.File)[1].Body;
        var secret = plugin.Secrets[0];
        (string Name, string Value)[] credentials =
        [
            ("X-Keycloak-Signature", Deliveries.Sign(body, secret)),
            ("Authorization", "Basic " + Convert.ToBase64String(Encoding.UTF8.GetBytes(secret))),
            ("X-Webhook-Secret", secret),
        ];
        foreach (var (header, value) in credentials)
        {
            var headers = new Dictionary<string, string> { ["Content-Type"] = "application/json", [header] = value };
            var (status, _, _) = await host.DeliverAsync(body, change: request => Send(request, headers));
            Assert.Equal(header == plugin.Header ? HttpStatusCode.NoContent : HttpStatusCode.Unauthorized, status);
        }
    }

    [Theory]
    [MemberData(nameof(Names))]
    public async Task A_pinned_format_takes_its_own_and_no_other(string name)
    {
        var plugin = Plugins.Named(name);
        await using var database = await postgres.CreateDatabaseAsync();
        await using var host = await StartAsync(database, plugin, ("Keycloak:Realms:0:WebhookFormat", $"{plugin.Format}"));
        var (body, headers) = Deliveries.RecordedIn(plugin.File)[1];
        Assert.Equal(HttpStatusCode.NoContent, (await host.DeliverAsync(body, change: request => Send(request, headers))).Status);

        await using var other = await StartAsync(database, plugin, ("Keycloak:Realms:0:WebhookFormat", "PhaseTwo"));
        var (status, answer, _) = await other.DeliverAsync(body, change: request => Send(request, headers));
        Assert.Equal(HttpStatusCode.BadRequest, status);
        Assert.Contains($"PhaseTwo, which is configured for this realm. It looks like {plugin.Format}", answer, StringComparison.Ordinal);
    }

    private static async Task<IntakeFixture> StartAsync(TestDatabase database, Plugin plugin, params (string Key, string? Value)[] settings)
    {
        var host = await IntakeFixture.StartAsync(
            database.ConnectionString,
            [
                ("Keycloak:Realms:0:WebhookAuthentication", $"{plugin.Authentication}"),
                .. plugin.Secrets.Select((secret, index) => ($"Keycloak:Realms:0:WebhookSecrets:{index}", (string?)secret)),
                .. settings,
            ]);
        await host.SchemaReadyAsync();
        return host;
    }

    // Each of several values, since one that is right is enough.
    private static string Flipped(string credential) =>
        string.Join(", ", credential.Split(", ").Select(value => value[..^2] + (value[^2] == '0' ? '1' : '0') + value[^1]));

    private static void Send(
        HttpRequestMessage request, IReadOnlyDictionary<string, string> headers, string? replaced = null, string? replacement = null)
    {
        request.Headers.Clear();
        foreach (var (name, recorded) in headers)
        {
            var value = name == replaced ? replacement : recorded;
            if (name == "Content-Type")
                request.Content!.Headers.ContentType = MediaTypeHeaderValue.Parse(recorded);
            else if (value is not null)
                request.Headers.TryAddWithoutValidation(name, value);
        }
    }
}
