using System.Net.Http.Headers;
using System.Text;
using KeycloakCreditBridge.Sandbox.Bridges;
using KeycloakCreditBridge.Tests.Intake;
using KeycloakCreditBridge.Tests.Running;
using KeycloakCreditBridge.Tests.Sandbox.Emulator;
using KeycloakCreditBridge.Tests.Storage;

namespace KeycloakCreditBridge.Tests.Faults.Commits;

/// <summary>
/// The real executable is killed while the sender of a webhook waits for the account. A sender without an answer sends again, which grants
/// once; one with an answer finds the account, or a hint of it.
/// </summary>
[StartsPrograms]
public sealed class WebhookKillTests(PostgresFixture postgres) : IAsyncLifetime
{
    private const string Converging = "hint_version)";

    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(2);

    private TestDatabase _database = null!;
    private EmulatorFixture _keycloak = null!;

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    public async ValueTask InitializeAsync()
    {
        _database = await postgres.CreateDatabaseAsync();
        _keycloak = await EmulatorFixture.StartAsync();
    }

    public async ValueTask DisposeAsync()
    {
        await _keycloak.DisposeAsync();
        await _database.DisposeAsync();
    }

    [Fact]
    public async Task A_bridge_killed_between_evaluation_and_commit_has_granted_nothing_and_the_event_sent_again_grants_once()
    {
        var user = await _keycloak.CreateAsync("ana");
        var settings = SettingsOf(_database.ConnectionString);
        KillPoint.Plant(settings, "converge");
        var url = new Uri(settings["Urls"]);
        await using (var killed = await BridgeProcess.StartAsync(url, settings))
        {
            await TryDeliverAsync(url, user);
            await Eventually.TrueAsync(() => killed.HasExited, "it is killed");
        }

        Assert.Equal(0, await _database.ScalarAsync<int>("select count(*)::int from user_credits"));
        await DeliverAgainAsync(user);
    }

    [Fact]
    public async Task A_bridge_killed_between_commit_and_answer_grants_nothing_more_when_the_event_is_sent_again()
    {
        var user = await _keycloak.CreateAsync("ana");
        await using var trap = new CommitTrap(_database.ConnectionString, Converging);
        var settings = SettingsOf(trap.ConnectionString);
        // In a transaction of several statements, whose commit is the first end that follows the statement.
        settings["Provisioning:TierFrom:Attribute"] = "plan";
        var url = new Uri(settings["Urls"]);
        await using var killed = await BridgeProcess.StartAsync(url, settings);
        var killing = KillAsync();
        await TryDeliverAsync(url, user);
        await killing;

        Assert.Equal("signup 5", await LedgerAsync());
        await DeliverAgainAsync(user);

        async Task KillAsync()
        {
            await trap.Sprung.WaitAsync(Patience, Token);
            await killed.KillAsync();
        }
    }

    private async Task DeliverAgainAsync(string user)
    {
        var settings = SettingsOf(_database.ConnectionString);
        var url = new Uri(settings["Urls"]);
        await using var next = await BridgeProcess.StartAsync(url, settings);
        await DeliverAsync(url, user);
        await Eventually.TrueAsync(
            () => _database.ScalarAsync<bool>(
                "select exists (select from user_credits where user_id = @user) and not exists (select from user_hints)", new { user }),
            "there is an account and no hint is left");
        Assert.Equal("signup 5", await LedgerAsync());
    }

    private Dictionary<string, string> SettingsOf(string database)
    {
        var settings = BridgeFixture.Settings(database, _keycloak.Server.Url)
            .ToDictionary(setting => setting.Key, setting => setting.Value ?? "", StringComparer.Ordinal);
        settings["Urls"] = FaultFixture.NewUrl().ToString();
        settings["Keycloak:Realms:0:WebhookSecrets:0"] = Deliveries.Secret;
        settings["Hints:ConvergeWithin"] = "00:00:05";
        return settings;
    }

    // On a busy machine the wait for the account may be over before the kill: then the answer stands for a hint.
    private static async Task TryDeliverAsync(Uri bridge, string user)
    {
        try
        {
            await DeliverAsync(bridge, user);
        }
        catch (HttpRequestException)
        {
            // Killed before the answer.
        }
    }

    private static async Task DeliverAsync(Uri bridge, string user)
    {
        var body = Encoding.UTF8.GetBytes(Deliveries.UserEvent(user));
        using var http = new HttpClient { BaseAddress = bridge };
        using var content = new ByteArrayContent(body);
        content.Headers.ContentType = new MediaTypeHeaderValue("application/json");
        content.Headers.Add("X-Keycloak-Signature", Deliveries.Sign(body));
        using var answer = await http.PostAsync(new Uri($"webhooks/keycloak/{EmulatorFixture.Realm}", UriKind.Relative), content, Token);
        answer.EnsureSuccessStatusCode();
    }

    private Task<string?> LedgerAsync() => _database.ScalarAsync<string>(
        "select string_agg(grant_key || ' ' || trim_scale(amount), ', ') from credit_transactions");
}
