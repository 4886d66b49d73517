using System.Security.Cryptography;
using System.Text.Json.Nodes;
using KeycloakCreditBridge.Tests.Contract;
using KeycloakCreditBridge.Tests.Running;
using KeycloakCreditBridge.Tests.Sandbox.Keycloak;
using KeycloakCreditBridge.Tests.Storage;

namespace KeycloakCreditBridge.Tests.Setup.Clients;

/// <summary>Realms whose client policies change or refuse clients, and clients that sign instead of showing a secret.</summary>
[StartsPrograms]
public sealed class ClientPolicyTests(KeycloakFixture servers, PostgresFixture postgres) : IDisposable
{
    private readonly string _key = Path.GetTempFileName();

    [Theory]
    [InlineData(KeycloakKind.Emulator, "fapi-1-baseline")]
    [InlineData(KeycloakKind.Keycloak26_7, "fapi-1-baseline")]
    [InlineData(KeycloakKind.Keycloak26_7, "fapi-1-advanced")]
    [InlineData(KeycloakKind.Keycloak26_7, "fapi-2-security-profile")]
    [InlineData(KeycloakKind.Keycloak26_7, "oauth-2-1-for-confidential-client")]
    public async Task Setup_never_says_done_where_a_policy_does_not_let_the_bridge_sign_in(KeycloakKind kind, string profile)
    {
        await using var fixture = await PrepareAsync(kind, profile);

        foreach (var run in new[] { await fixture.SetupAsync("--yes"), await fixture.SetupAsync("--yes") })
        {
            Assert.NotEqual(0, run.ExitCode);
            Assert.Contains($"everyone ({profile})", run.Error, StringComparison.Ordinal);
            Assert.Contains("Keycloak:ClientAuthentication to PrivateKeyJwt", run.Error, StringComparison.Ordinal);
        }
    }

    [Theory, EveryKeycloak]
    public async Task A_signing_bridge_is_set_up_and_undone(KeycloakKind kind)
    {
        await using var fixture = await SetupFixture.CreateAsync(servers, postgres, kind);
        var before = await fixture.ReadStateAsync();
        UseKey(fixture);

        await AssertWorksAsync(fixture);

        var undo = await fixture.SetupAsync("--undo", "--yes");
        Assert.Equal((0, ""), (undo.ExitCode, undo.Error));
        Assert.Equal(before.ToJsonString(), (await fixture.ReadStateAsync()).ToJsonString());
    }

    [Theory]
    [InlineData(KeycloakKind.Emulator, "fapi-1-baseline")]
    [InlineData(KeycloakKind.Emulator, "fapi-2-dpop-security-profile")]
    [InlineData(KeycloakKind.Keycloak26_7, "fapi-1-baseline")]
    [InlineData(KeycloakKind.Keycloak26_7, "fapi-2-dpop-security-profile")]
    [InlineData(KeycloakKind.Keycloak26_7, "fapi-2-dpop-message-signing")]
    public async Task A_signing_bridge_works_under_policies_that_take_secret_and_full_scope_or_bind_tokens(
        KeycloakKind kind, string profile)
    {
        await using var fixture = await PrepareAsync(kind, profile);
        UseKey(fixture);

        await AssertWorksAsync(fixture);
    }

    [Theory]
    [InlineData(KeycloakKind.Emulator)]
    [InlineData(KeycloakKind.Keycloak26_7)]
    public async Task A_bridge_with_a_secret_proves_possession_where_a_policy_binds_tokens(KeycloakKind kind)
    {
        await using var fixture = await PrepareAsync(kind, "oauth-2-1-for-public-client");

        await AssertWorksAsync(fixture);
    }

    [Theory]
    [InlineData(KeycloakKind.Keycloak26_7, "fapi-2-security-profile", "a TLS certificate, which the bridge does not have")]
    [InlineData(KeycloakKind.Keycloak26_7, "oauth-2-1-for-confidential-client", "a TLS certificate, which the bridge does not have")]
    [InlineData(KeycloakKind.Emulator, "fapi-2-security-profile", "a TLS certificate, which the bridge does not have")]
    public async Task A_policy_that_demands_more_than_a_signature_is_named(KeycloakKind kind, string profile, string says)
    {
        await using var fixture = await PrepareAsync(kind, profile);
        UseKey(fixture);

        var setup = await fixture.SetupAsync("--yes");

        Assert.Equal(1, setup.ExitCode);
        Assert.Contains(says, setup.Error, StringComparison.Ordinal);
        Assert.Contains($"everyone ({profile})", setup.Error, StringComparison.Ordinal);
    }

    [Theory, EveryKeycloak]
    public async Task A_new_key_is_registered_beside_the_one_in_use(KeycloakKind kind)
    {
        await using var fixture = await SetupFixture.CreateAsync(servers, postgres, kind);
        UseKey(fixture);
        await AssertWorksAsync(fixture);
        var inUse = await File.ReadAllTextAsync(_key, TestContext.Current.CancellationToken);

        UseKey(fixture);
        var setup = await fixture.SetupAsync("--yes");
        Assert.Contains("takes the key of Keycloak:PrivateKeyFile", setup.Output, StringComparison.Ordinal);
        await AssertWorksAsync(fixture);
        await File.WriteAllTextAsync(_key, inUse, TestContext.Current.CancellationToken);

        var doctor = await fixture.DoctorAsync();
        Assert.Contains("ok    token of ", doctor.Output, StringComparison.Ordinal);
    }

    [Theory, EveryKeycloak]
    public async Task A_client_that_signs_already_gets_the_key_added_and_taken_back(KeycloakKind kind)
    {
        await using var fixture = await SetupFixture.CreateAsync(servers, postgres, kind);
        await fixture.SendAsync(HttpMethod.Post, $"admin/realms/{fixture.Realm}/clients", new JsonObject
        {
            ["clientId"] = SetupFixture.ClientId, ["clientAuthenticatorType"] = "client-jwt", ["publicClient"] = false,
            ["serviceAccountsEnabled"] = true, ["fullScopeAllowed"] = false,
            ["attributes"] = new JsonObject
            {
                ["use.jwks.string"] = "true", ["jwks.string"] = """{"keys":[{"kid":"theirs","kty":"EC"}]}""",
            },
        });
        var before = await fixture.ReadStateAsync();

        var bySecret = await fixture.SetupAsync("--yes");
        Assert.Equal(2, bySecret.ExitCode);
        Assert.Contains("it authenticates by 'client-jwt'", bySecret.Error, StringComparison.Ordinal);
        Assert.Equal(before.ToJsonString(), (await fixture.ReadStateAsync()).ToJsonString());

        UseKey(fixture);
        await AssertWorksAsync(fixture);
        Assert.Contains("theirs", await KeysAsync(fixture));

        await fixture.SetupAsync("--undo", "--yes");
        Assert.Equal(["theirs"], await KeysAsync(fixture));
    }

    public void Dispose() => File.Delete(_key);

    private async Task<SetupFixture> PrepareAsync(KeycloakKind kind, string profile)
    {
        var fixture = await SetupFixture.CreateAsync(servers, postgres, kind);
        await fixture.SendAsync(HttpMethod.Put, $"admin/realms/{fixture.Realm}/client-policies/policies", new JsonObject
        {
            ["policies"] = new JsonArray(new JsonObject
            {
                ["name"] = "everyone", ["enabled"] = true, ["profiles"] = new JsonArray(profile),
                ["conditions"] = new JsonArray(new JsonObject { ["condition"] = "any-client", ["configuration"] = new JsonObject() }),
            }),
        });
        return fixture;
    }

    private static async Task<IReadOnlyList<string>> KeysAsync(SetupFixture fixture)
    {
        var client = (await fixture.ReadStateAsync())["clients"]!.AsArray()
            .Single(item => (string?)item!["clientId"] == SetupFixture.ClientId)!;
        var keys = JsonNode.Parse((string)client["attributes"]!["jwks.string"]!)!["keys"]!.AsArray();
        return [.. keys.Select(key => (string)key!["kid"]!)];
    }

    private void UseKey(SetupFixture fixture)
    {
        using var key = RSA.Create(2048);
        File.WriteAllText(_key, key.ExportPkcs8PrivateKeyPem());
        fixture.More["Keycloak:ClientSecret"] = null;
        fixture.More["Keycloak:ClientAuthentication"] = "PrivateKeyJwt";
        fixture.More["Keycloak:PrivateKeyFile"] = _key;
    }

    private static async Task AssertWorksAsync(SetupFixture fixture)
    {
        var setup = await fixture.SetupAsync("--yes");
        Assert.True(setup is { ExitCode: 0, Error: "" }, setup.Output + setup.Error);
        Assert.EndsWith("Nothing to do.\n", (await fixture.SetupAsync()).Output, StringComparison.Ordinal);
        var doctor = await fixture.DoctorAsync();
        foreach (var check in new[] { "token", "users", "events", "admin events" })
            Assert.Contains($"ok    {check} of {fixture.Realm}: ", doctor.Output, StringComparison.Ordinal);
    }
}
