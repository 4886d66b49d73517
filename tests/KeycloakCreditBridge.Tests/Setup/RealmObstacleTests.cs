using System.Text.Json.Nodes;
using KeycloakCreditBridge.Sandbox.Keycloak;
using KeycloakCreditBridge.Tests.Contract;
using KeycloakCreditBridge.Tests.Running;
using KeycloakCreditBridge.Tests.Sandbox.Keycloak;
using KeycloakCreditBridge.Tests.Storage;

namespace KeycloakCreditBridge.Tests.Setup;

/// <summary>What realms are in the way of setup and doctor, and that each is told with its own cure.</summary>
[StartsPrograms]
public sealed class RealmObstacleTests(KeycloakFixture servers, PostgresFixture postgres)
{
    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Theory, EveryKeycloak]
    public async Task A_disabled_realm_and_one_that_requires_https_are_named_and_no_secret_is_compared(KeycloakKind kind)
    {
        await using var fixture = await SetupFixture.CreateAsync(servers, postgres, kind);
        await fixture.SetupAsync("--yes");

        await AssertSaysAsync("""{"sslRequired": "all"}""", "requires https, and Keycloak:Url is http");
        await AssertSaysAsync("""{"sslRequired": "external", "enabled": false}""", "is disabled in Keycloak: enable it");

        async Task AssertSaysAsync(string change, string says)
        {
            await fixture.Admin.UpdateRealmAsync(fixture.Realm, JsonNode.Parse(change)!.AsObject(), Token);
            var (doctor, setup) = (await fixture.DoctorAsync(), await fixture.SetupAsync("--yes"));
            Assert.Equal((1, 1), (doctor.ExitCode, setup.ExitCode));
            foreach (var text in new[] { doctor.Output, setup.Error })
            {
                Assert.Contains(says, text, StringComparison.Ordinal);
                Assert.DoesNotContain("compare Keycloak:ClientSecret", text, StringComparison.Ordinal);
            }
        }
    }

    [Theory, EveryKeycloak]
    public async Task A_person_with_the_name_of_the_service_account_is_named_and_nothing_changes(KeycloakKind kind)
    {
        await using var fixture = await SetupFixture.CreateAsync(servers, postgres, kind);
        await fixture.Admin.CreateUserAsync(
            fixture.Realm, new SandboxUser($"service-account-{SetupFixture.ClientId}", "eve@example.com"), Token);
        var before = await fixture.ReadStateAsync();

        var setup = await fixture.SetupAsync("--yes");

        Assert.Equal(2, setup.ExitCode);
        Assert.Contains("has a user named 'service-account-credit-bridge'", setup.Error, StringComparison.Ordinal);
        Assert.Contains("rename or delete the user", setup.Error, StringComparison.Ordinal);
        Assert.Equal(before.ToJsonString(), (await fixture.ReadStateAsync()).ToJsonString());
    }

    [Theory]
    [InlineData(KeycloakKind.Emulator, "my shop")]
    [InlineData(KeycloakKind.Emulator, "münchen")]
    [InlineData(KeycloakKind.Keycloak26_7, "my shop")]
    [InlineData(KeycloakKind.Keycloak26_7, "münchen")]
    public async Task A_plugin_that_refuses_the_realm_s_own_tokens_is_warned_of_and_hides_no_other_check(KeycloakKind kind, string name)
    {
        var realm = $"{name} {Guid.NewGuid():n}";
        await using var fixture = await SetupFixture.CreateAsync(servers, postgres, kind, name: realm);

        var setup = await fixture.SetupAsync("--yes", "--no-webhook");
        Assert.Equal((0, ""), (setup.ExitCode, setup.Error));
        var doctor = await fixture.DoctorAsync();

        Assert.True(doctor.ExitCode == 0, doctor.Output);
        Assert.Contains(
            $"warn  event listener of {realm}: Keycloak's webhook plugin of Phase Two refuses", doctor.Output, StringComparison.Ordinal);
        Assert.Contains($"warn  webhook of {realm}: not checked, as the webhook plugin refuses", doctor.Output, StringComparison.Ordinal);
        Assert.Contains($"reconcile --realm '{realm}'`", doctor.Output, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(KeycloakKind.Emulator)]
    [InlineData(KeycloakKind.Keycloak26_7)]
    public async Task An_administrator_of_such_a_realm_sets_it_up_for_polling(KeycloakKind kind)
    {
        var realm = $"my shop {Guid.NewGuid():n}";
        await using var fixture = await SetupFixture.CreateAsync(servers, postgres, kind, JsonNode.Parse(
            """
            {
                "clients": [{ "clientId": "head", "publicClient": false, "secret": "head-secret", "serviceAccountsEnabled": true }],
                "users": [{
                    "username": "service-account-head", "enabled": true, "serviceAccountClientId": "head",
                    "clientRoles": { "realm-management": ["realm-admin"] }
                }]
            }
            """)!.AsObject(), realm);
        fixture.More["KEYCLOAK_ADMIN_PASSWORD"] = "head-secret";

        var (exitCode, output, error) = await Cli.CommandProcess.RunAsync(
            fixture.Settings, "setup", "keycloak", "--admin-client", "head", "--admin-realm", realm, "--yes");

        Assert.Equal((0, ""), (exitCode, error));
        Assert.Contains("! Keycloak's webhook plugin of Phase Two refuses GET webhooks", output, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(KeycloakKind.Keycloak26_7)]
    [InlineData(KeycloakKind.Keycloak26_0)]
    public async Task Undo_of_the_realm_master_leaves_nothing_but_what_it_says(KeycloakKind kind)
    {
        await using var fixture = await SetupFixture.OfRealmAsync(await servers.GetAsync(kind), postgres, "master");
        var before = await fixture.Admin.GetRealmAsync("master", Token);

        var setup = await fixture.SetupAsync("--yes", "--no-webhook");
        Assert.Equal((0, ""), (setup.ExitCode, setup.Error));
        var undo = await fixture.SetupAsync("--yes", "--undo");

        Assert.Equal((0, ""), (undo.ExitCode, undo.Error));
        var after = await fixture.Admin.GetRealmAsync("master", Token);
        var left = after["attributes"]!.AsObject().Select(attribute => attribute.Key)
            .Except(before["attributes"]!.AsObject().Select(attribute => attribute.Key), StringComparer.Ordinal);
        var note = undo.Output.Split('\n').FirstOrDefault(line => line.StartsWith("! the attributes", StringComparison.Ordinal)) ?? "";
        foreach (var attribute in left)
            Assert.Contains(attribute, note, StringComparison.Ordinal);
        foreach (var realm in new[] { before, after })
            realm.Remove("attributes");
        Assert.True(JsonNode.DeepEquals(before, after), $"{before}\n{after}");
    }
}
