using System.Text.Json;
using System.Text.Json.Nodes;
using KeycloakCreditBridge.Keycloak.Events;
using KeycloakCreditBridge.Sandbox.Emulator;
using KeycloakCreditBridge.Tests.Cli;
using KeycloakCreditBridge.Tests.Contract;
using KeycloakCreditBridge.Tests.Running;
using KeycloakCreditBridge.Tests.Sandbox.Keycloak;
using KeycloakCreditBridge.Tests.Storage;

namespace KeycloakCreditBridge.Tests.Setup;

[StartsPrograms]
public sealed class SetupContractTests(KeycloakFixture servers, PostgresFixture postgres)
{
    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Theory, EveryKeycloak]
    public async Task An_untouched_realm_is_green_after_one_command_and_as_before_after_undo(KeycloakKind kind)
    {
        await using var fixture = await SetupFixture.CreateAsync(servers, postgres, kind);
        var before = await fixture.ReadStateAsync();

        var dry = await fixture.SetupAsync("--dry-run");
        Assert.Equal((1, ""), (dry.ExitCode, dry.Error));
        Assert.Contains($"+ client credit-bridge in realm {fixture.Realm}\n", dry.Output, StringComparison.Ordinal);
        Assert.Equal(
            fixture.Server.SendsWebhooks, dry.Output.Contains($"+ webhook to {fixture.WebhookUrl} in realm", StringComparison.Ordinal));
        Assert.Equal(
            !fixture.Server.SendsWebhooks, dry.Output.Contains("! Keycloak has no webhook plugin: polling alone",
                StringComparison.Ordinal));
        var json = await fixture.SetupAsync("--dry-run", "--json");
        using (var planned = JsonDocument.Parse(Assert.Single(Lines(json.Output))))
        {
            Assert.Equal((fixture.Realm, false), (
                planned.RootElement.GetProperty("realm").GetString(), planned.RootElement.GetProperty("applied").GetBoolean()));
            Assert.Contains(
                $"+ client credit-bridge in realm {fixture.Realm}",
                planned.RootElement.GetProperty("changes").EnumerateArray().Select(change => change.GetString()));
        }

        AssertSame(before, await fixture.ReadStateAsync());

        var setup = await fixture.SetupAsync("--yes");
        Assert.Equal((0, "", dry.Output + "Done.\n"), (setup.ExitCode, setup.Error, setup.Output));
        await AssertOnlyEventsDifferAsync(fixture, before);

        var doctor = await fixture.DoctorAsync("--admin-user", fixture.Server.AdminUser);
        Assert.True(doctor.ExitCode == 0, doctor.Output + doctor.Error);
        Assert.Equal(
            ["warn  reconciliation", "warn  deliveries", "warn  webhook delivery"],
            Lines(doctor.Output).Where(line => !line.StartsWith("ok ", StringComparison.Ordinal)).Select(
                line => line.Split([" of ", ": "], StringSplitOptions.None)[0]));

        var again = await fixture.SetupAsync();
        Assert.Equal((0, ""), (again.ExitCode, again.Error));
        Assert.EndsWith("Nothing to do.\n", again.Output, StringComparison.Ordinal);
        Assert.DoesNotContain("+ ", again.Output, StringComparison.Ordinal);

        var undo = await fixture.SetupAsync("--undo", "--yes");
        Assert.Equal((0, ""), (undo.ExitCode, undo.Error));
        AssertSame(before, await fixture.ReadStateAsync());
        Assert.EndsWith("Nothing to do.\n", (await fixture.SetupAsync("--undo")).Output, StringComparison.Ordinal);

        foreach (var said in new[] { dry, setup, again, undo }.Select(run => run.Output + run.Error).Append(doctor.Output))
        {
            Assert.DoesNotContain(SetupFixture.ClientSecret, said, StringComparison.Ordinal);
            Assert.DoesNotContain(SetupFixture.WebhookSecret, said, StringComparison.Ordinal);
        }
    }

    [Theory, EveryKeycloak]
    public async Task Existing_settings_are_kept_and_restored_by_undo(KeycloakKind kind)
    {
        await using var fixture = await SetupFixture.CreateAsync(servers, postgres, kind, JsonNode.Parse(
            """
            {
                "eventsEnabled": true, "eventsExpiration": 7776000, "enabledEventTypes": ["LOGIN", "LOGOUT"],
                "eventsListeners": ["jboss-logging"],
                "adminEventsEnabled": true, "attributes": { "adminEventsExpiration": "3600" }
            }
            """)!.AsObject());
        await fixture.SendAsync(HttpMethod.Post, $"admin/realms/{fixture.Realm}/clients", new JsonObject
        {
            ["clientId"] = SetupFixture.ClientId, ["secret"] = SetupFixture.ClientSecret, ["publicClient"] = false,
            ["serviceAccountsEnabled"] = true,
            ["attributes"] = new JsonObject { ["made.by"] = "hand" },
        });
        await fixture.Admin.SetServiceAccountRolesAsync(fixture.Realm, SetupFixture.ClientId, ["view-users", "manage-users"], Token);
        var before = await fixture.ReadStateAsync();

        var setup = await fixture.SetupAsync("--yes", "--retention", "7");
        Assert.Equal((0, ""), (setup.ExitCode, setup.Error));
        Assert.Contains("it has manage-users, which setup does not change", setup.Output, StringComparison.Ordinal);
        var realm = await fixture.Admin.GetRealmAsync(fixture.Realm, Token);
        Assert.Equal(7776000, (long?)realm["eventsExpiration"]);
        Assert.Equal("604800", (string?)realm["attributes"]!["adminEventsExpiration"]);
        var types = realm["enabledEventTypes"]!.AsArray().Select(type => (string)type!).ToArray();
        Assert.Subset(types.ToHashSet(StringComparer.Ordinal),
            new HashSet<string>([.. UserEventTypes.Names, "LOGOUT"], StringComparer.Ordinal));
        var doctor = await fixture.DoctorAsync();
        Assert.True(doctor.ExitCode == 0, doctor.Output);

        var undo = await fixture.SetupAsync("--undo", "--yes");
        Assert.Equal((0, ""), (undo.ExitCode, undo.Error));
        AssertSame(before, await fixture.ReadStateAsync());
    }

    [Theory, EveryKeycloak(SendsWebhooks = true)]
    public async Task A_change_made_after_setup_is_repaired_by_setup_and_survives_undo(KeycloakKind kind)
    {
        await using var fixture = await SetupFixture.CreateAsync(servers, postgres, kind);
        await fixture.SetupAsync("--yes");
        await fixture.Admin.SetServiceAccountRolesAsync(fixture.Realm, SetupFixture.ClientId, ["view-users"], Token);
        await fixture.Admin.UpdateRealmAsync(fixture.Realm, new JsonObject { ["eventsExpiration"] = 8640000 }, Token);
        var webhook = (await fixture.SendAsync(HttpMethod.Get, $"realms/{fixture.Realm}/webhooks"))!.AsArray().Single()!.AsObject();
        await fixture.SendAsync(HttpMethod.Put, $"realms/{fixture.Realm}/webhooks/{webhook["id"]}", new JsonObject
        {
            ["enabled"] = false, ["url"] = fixture.WebhookUrl, ["secret"] = "another", ["eventTypes"] = new JsonArray("access.LOGIN"),
        });

        var repair = await fixture.SetupAsync("--yes");

        Assert.Equal((0, ""), (repair.ExitCode, repair.Error));
        Assert.Contains("+ role view-events for client credit-bridge", repair.Output, StringComparison.Ordinal);
        Assert.Contains("enabled; for access.REGISTER,", repair.Output, StringComparison.Ordinal);
        Assert.Contains("signed with Keycloak:Realms:0:WebhookSecrets:0", repair.Output, StringComparison.Ordinal);
        Assert.EndsWith("Nothing to do.\n", (await fixture.SetupAsync()).Output, StringComparison.Ordinal);

        var undo = await fixture.SetupAsync("--undo", "--yes");
        Assert.Contains("! eventsExpiration of realm", undo.Output, StringComparison.Ordinal);
        Assert.Equal(8640000, (long?)(await fixture.Admin.GetRealmAsync(fixture.Realm, Token))["eventsExpiration"]);
    }

    [Theory, EveryKeycloak(SendsWebhooks = true)]
    public async Task An_obstacle_is_named_with_its_remedy_and_nothing_changes(KeycloakKind kind)
    {
        await using var fixture = await SetupFixture.CreateAsync(servers, postgres, kind, JsonNode.Parse(
            """
            {
                "clients": [
                    { "clientId": "public", "publicClient": true },
                    { "clientId": "other", "publicClient": false, "secret": "unknown", "serviceAccountsEnabled": false },
                    {
                        "clientId": "weak", "publicClient": false, "secret": "weak-zq7w", "serviceAccountsEnabled": true,
                        "fullScopeAllowed": true
                    }
                ],
                "users": [{
                    "username": "service-account-weak", "enabled": true, "serviceAccountClientId": "weak",
                    "clientRoles": { "realm-management": ["view-users", "view-events", "view-clients"] }
                }]
            }
            """)!.AsObject());
        var before = await fixture.ReadStateAsync();
        string[] asAdmin = ["--admin-user", fixture.Server.AdminUser, "--webhook-url", fixture.BridgeUrl.ToString()];

        await AssertRefusedAsync(fixture, asAdmin, "--yes", ("KEYCLOAK_ADMIN_PASSWORD", "not-this-one-zq7w"));
        await AssertRefusedAsync(fixture, asAdmin, "correct Keycloak:Realms:0:Name", ("Keycloak:Realms:0:Name", "nowhere"));
        await AssertRefusedAsync(fixture, asAdmin, "it is public: switch its client authentication on", ("Keycloak:ClientId", "public"));
        await AssertRefusedAsync(fixture, asAdmin, "it has no service account: switch its service accounts",
            ("Keycloak:ClientId", "other"));
        await AssertRefusedAsync(fixture, asAdmin, "Keycloak:ClientSecret is not its secret", ("Keycloak:ClientId", "weak"));
        await AssertRefusedAsync(fixture, asAdmin, "or a long random text that `setup keycloak` gives", ("Keycloak:ClientSecret", null));
        await AssertRefusedAsync(fixture, asAdmin, "WebhookSecrets:0 is empty", ("Keycloak:Realms:0:WebhookSecrets:0", null));
        await AssertRefusedAsync(fixture, asAdmin[..2], "say --webhook-url http://bridge:8085", ("Urls", ""));
        await AssertRefusedAsync(fixture, [.. asAdmin[..2], "--webhook-url", "bridge:8085"], "Intake:Webhook:Url is no http", ("Urls", ""));
        await AssertRefusedAsync(fixture, asAdmin, "There is no password for", ("KEYCLOAK_ADMIN_PASSWORD", null));
        await AssertRefusedAsync(fixture, asAdmin, "add --yes to make these changes", ("Urls", ""));
        await AssertRefusedAsync(
            fixture, ["--admin-client", "weak", "--admin-realm", fixture.Realm], "it takes the role manage-realm",
            ("KEYCLOAK_ADMIN_PASSWORD", "weak-zq7w"));

        AssertSame(before, await fixture.ReadStateAsync());
    }

    [Fact]
    public async Task A_setup_that_breaks_off_goes_on_and_is_undone_as_a_whole()
    {
        await using var server = await EmulatedKeycloak.StartAsync(new EmulatorOptions(), Token);
        await using var fixture = await SetupFixture.CreateAsync(server, postgres);
        var before = await fixture.ReadStateAsync();
        server.Faults.Fail("*/role-mappings/clients/*", 1, 500);

        var broken = await fixture.SetupAsync("--yes");
        Assert.Equal(1, broken.ExitCode);
        Assert.Contains("the same command goes on from there", broken.Error, StringComparison.Ordinal);
        var rest = await fixture.SetupAsync("--yes");
        Assert.DoesNotContain("+ client", rest.Output, StringComparison.Ordinal);
        Assert.EndsWith("Nothing to do.\n", (await fixture.SetupAsync()).Output, StringComparison.Ordinal);

        await fixture.SetupAsync("--undo", "--yes");
        AssertSame(before, await fixture.ReadStateAsync());
    }

    [Fact]
    public async Task Doctor_names_federations_that_reconciliation_would_have_import()
    {
        await using var fixture = await SetupFixture.CreateAsync(servers, postgres, KeycloakKind.Emulator, JsonNode.Parse(
            """
            {
                "components": { "org.keycloak.storage.UserStorageProvider": [
                    { "name": "staff", "config": { "importEnabled": ["true"], "enabled": ["true"] } },
                    { "name": "guests", "config": { "importEnabled": ["false"] } }
                ] }
            }
            """)!.AsObject());
        await fixture.SetupAsync("--yes");

        var doctor = await fixture.DoctorAsync("--admin-user", fixture.Server.AdminUser);

        Assert.Contains($"warn  federations of {fixture.Realm}: staff import users:", doctor.Output, StringComparison.Ordinal);
    }

    private static async Task AssertRefusedAsync(
        SetupFixture fixture, string[] arguments, string remedy, (string Key, string? Value) setting)
    {
        var settings = fixture.Settings;
        settings[setting.Key] = setting.Value;
        string[] sure = remedy.StartsWith("add --yes", StringComparison.Ordinal) ? [] : ["--yes"];
        var (exitCode, output, error) = await CommandProcess.RunAsync(settings, ["setup", "keycloak", .. arguments, .. sure]);
        var expected = remedy == "--yes" ? "check --admin-user and the password" : remedy;
        Assert.True(exitCode == 2 && error.Contains(expected, StringComparison.Ordinal), $"{expected}: {exitCode}\n{output}{error}");
        Assert.DoesNotContain("zq7w", output + error, StringComparison.Ordinal);
    }

    // Keycloak writes some fields with their defaults as soon as a realm is written; none of them may.
    private static async Task AssertOnlyEventsDifferAsync(SetupFixture fixture, JsonObject before)
    {
        var (was, now) = (before["realm"]!.DeepClone().AsObject(), (await fixture.ReadStateAsync())["realm"]!.AsObject());
        now["attributes"]!.AsObject().Remove("adminEventsExpiration");
        foreach (var field in new[] { "eventsEnabled", "eventsExpiration", "eventsListeners", "adminEventsEnabled" })
        {
            was.Remove(field);
            now.Remove(field);
        }

        AssertSame(was, now);
    }

    private static void AssertSame(JsonNode expected, JsonNode actual) => Assert.Equal(expected.ToJsonString(), actual.ToJsonString());

    private static string[] Lines(string text) => text.Split('\n', StringSplitOptions.RemoveEmptyEntries);
}
