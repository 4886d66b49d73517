using System.Security.Cryptography;
using System.Text.Json.Nodes;
using KeycloakCreditBridge.Tests.Contract;
using KeycloakCreditBridge.Tests.Sandbox.Keycloak;
using KeycloakCreditBridge.Tests.Storage;

namespace KeycloakCreditBridge.Tests.Setup.Clients;

/// <summary>Realms whose client policies change or refuse clients, and clients that sign instead of showing a secret.</summary>
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
        await using var scene = await SceneAsync(kind, profile);

        foreach (var run in new[] { await scene.SetupAsync("--yes"), await scene.SetupAsync("--yes") })
        {
            Assert.NotEqual(0, run.ExitCode);
            Assert.Contains($"everyone ({profile})", run.Error, StringComparison.Ordinal);
            Assert.Contains("Keycloak:ClientAuthentication to PrivateKeyJwt", run.Error, StringComparison.Ordinal);
        }
    }

    [Theory, EveryKeycloak]
    public async Task A_signing_bridge_is_set_up_and_undone(KeycloakKind kind)
    {
        await using var scene = await SetupFixture.CreateAsync(servers, postgres, kind);
        var before = await scene.ReadStateAsync();
        UseKey(scene);

        await AssertWorksAsync(scene);

        var undo = await scene.SetupAsync("--undo", "--yes");
        Assert.Equal((0, ""), (undo.ExitCode, undo.Error));
        Assert.Equal(before.ToJsonString(), (await scene.ReadStateAsync()).ToJsonString());
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
        await using var scene = await SceneAsync(kind, profile);
        UseKey(scene);

        await AssertWorksAsync(scene);
    }

    [Theory]
    [InlineData(KeycloakKind.Emulator)]
    [InlineData(KeycloakKind.Keycloak26_7)]
    public async Task A_bridge_with_a_secret_proves_possession_where_a_policy_binds_tokens(KeycloakKind kind)
    {
        await using var scene = await SceneAsync(kind, "oauth-2-1-for-public-client");

        await AssertWorksAsync(scene);
    }

    [Theory]
    [InlineData(KeycloakKind.Keycloak26_7, "fapi-2-security-profile", "a TLS certificate, which the bridge does not have")]
    [InlineData(KeycloakKind.Keycloak26_7, "oauth-2-1-for-confidential-client", "a TLS certificate, which the bridge does not have")]
    [InlineData(KeycloakKind.Emulator, "fapi-2-security-profile", "a TLS certificate, which the bridge does not have")]
    public async Task A_policy_that_demands_more_than_a_signature_is_named(KeycloakKind kind, string profile, string says)
    {
        await using var scene = await SceneAsync(kind, profile);
        UseKey(scene);

        var setup = await scene.SetupAsync("--yes");

        Assert.Equal(1, setup.ExitCode);
        Assert.Contains(says, setup.Error, StringComparison.Ordinal);
        Assert.Contains($"everyone ({profile})", setup.Error, StringComparison.Ordinal);
    }

    [Theory, EveryKeycloak]
    public async Task A_new_key_is_registered_beside_the_one_in_use(KeycloakKind kind)
    {
        await using var scene = await SetupFixture.CreateAsync(servers, postgres, kind);
        UseKey(scene);
        await AssertWorksAsync(scene);
        var inUse = await File.ReadAllTextAsync(_key, TestContext.Current.CancellationToken);

        UseKey(scene);
        var setup = await scene.SetupAsync("--yes");
        Assert.Contains("takes the key of Keycloak:PrivateKeyFile", setup.Output, StringComparison.Ordinal);
        await AssertWorksAsync(scene);
        await File.WriteAllTextAsync(_key, inUse, TestContext.Current.CancellationToken);

        var doctor = await scene.DoctorAsync();
        Assert.Contains("ok    token of ", doctor.Output, StringComparison.Ordinal);
    }

    [Theory, EveryKeycloak]
    public async Task A_client_that_signs_already_gets_the_key_added_and_taken_back(KeycloakKind kind)
    {
        await using var scene = await SetupFixture.CreateAsync(servers, postgres, kind);
        await scene.SendAsync(HttpMethod.Post, $"admin/realms/{scene.Realm}/clients", new JsonObject
        {
            ["clientId"] = SetupFixture.ClientId, ["clientAuthenticatorType"] = "client-jwt", ["publicClient"] = false,
            ["serviceAccountsEnabled"] = true, ["fullScopeAllowed"] = false,
            ["attributes"] = new JsonObject
            {
                ["use.jwks.string"] = "true", ["jwks.string"] = """{"keys":[{"kid":"theirs","kty":"EC"}]}""",
            },
        });
        var before = await scene.ReadStateAsync();

        var bySecret = await scene.SetupAsync("--yes");
        Assert.Equal(2, bySecret.ExitCode);
        Assert.Contains("it authenticates by 'client-jwt'", bySecret.Error, StringComparison.Ordinal);
        Assert.Equal(before.ToJsonString(), (await scene.ReadStateAsync()).ToJsonString());

        UseKey(scene);
        await AssertWorksAsync(scene);
        var client = (await scene.ReadStateAsync())["clients"]!.AsArray()
            .Single(item => (string?)item!["clientId"] == SetupFixture.ClientId)!;
        Assert.Contains("theirs", (string?)client["attributes"]!["jwks.string"], StringComparison.Ordinal);

        await scene.SetupAsync("--undo", "--yes");
        client = (await scene.ReadStateAsync())["clients"]!.AsArray().Single(item => (string?)item!["clientId"] == SetupFixture.ClientId)!;
        var keys = JsonNode.Parse((string)client["attributes"]!["jwks.string"]!)!["keys"]!.AsArray();
        Assert.Equal(["theirs"], keys.Select(key => (string?)key!["kid"]));
    }

    public void Dispose() => File.Delete(_key);

    private async Task<SetupFixture> SceneAsync(KeycloakKind kind, string profile)
    {
        var scene = await SetupFixture.CreateAsync(servers, postgres, kind);
        await scene.SendAsync(HttpMethod.Put, $"admin/realms/{scene.Realm}/client-policies/policies", new JsonObject
        {
            ["policies"] = new JsonArray(new JsonObject
            {
                ["name"] = "everyone", ["enabled"] = true, ["profiles"] = new JsonArray(profile),
                ["conditions"] = new JsonArray(new JsonObject { ["condition"] = "any-client", ["configuration"] = new JsonObject() }),
            }),
        });
        return scene;
    }

    private void UseKey(SetupFixture scene)
    {
        using var key = RSA.Create(2048);
        File.WriteAllText(_key, key.ExportPkcs8PrivateKeyPem());
        scene.More["Keycloak:ClientSecret"] = null;
        scene.More["Keycloak:ClientAuthentication"] = "PrivateKeyJwt";
        scene.More["Keycloak:PrivateKeyFile"] = _key;
    }

    private static async Task AssertWorksAsync(SetupFixture scene)
    {
        var setup = await scene.SetupAsync("--yes");
        Assert.True(setup is { ExitCode: 0, Error: "" }, setup.Output + setup.Error);
        Assert.EndsWith("Nothing to do.\n", (await scene.SetupAsync()).Output, StringComparison.Ordinal);
        var doctor = await scene.DoctorAsync();
        foreach (var check in new[] { "token", "users", "events", "admin events" })
            Assert.Contains($"ok    {check} of {scene.Realm}: ", doctor.Output, StringComparison.Ordinal);
    }
}
