using System.Text.Json.Nodes;
using KeycloakCreditBridge.Hints;
using KeycloakCreditBridge.Sandbox.Emulator;
using KeycloakCreditBridge.Tests.Keycloak;
using KeycloakCreditBridge.Tests.Keycloak.Admin;
using KeycloakCreditBridge.Tests.Sandbox.Keycloak;
using KeycloakCreditBridge.Tests.Storage;

namespace KeycloakCreditBridge.Tests.Contract;

/// <summary>Which users get an account and under which id, from Keycloak to the ledger.</summary>
public sealed class RuleTests(KeycloakFixture servers, PostgresFixture postgres)
{
    private static readonly string[] Heard = [HintSources.Webhook, HintSources.Poll];

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Theory, EveryKeycloak]
    public async Task A_user_locked_out_by_wrong_passwords_keeps_an_active_account(KeycloakKind kind)
    {
        await using var fixture = await StartAsync(kind);
        await fixture.Features.UpdateRealmAsync(LockoutTests.Protection, Token);
        await AssertKeepsAccountAsync(fixture);
    }

    [Fact]
    public async Task A_user_locked_out_by_wrong_passwords_keeps_an_active_account_with_the_emulator_of_26_0()
    {
        await using var server = await EmulatedKeycloak.StartAsync(new EmulatorOptions(ServerModel.V26_0, SendsWebhooks: false), Token);
        await using var fixture = await ContractFixture.CreateAsync(server, postgres);
        await fixture.Features.UpdateRealmAsync(LockoutTests.Protection, Token);
        await fixture.StartBridgeAsync();
        await AssertKeepsAccountAsync(fixture);
    }

    [Theory, EveryKeycloak]
    public async Task A_changed_address_renames_the_account_where_addresses_are_ids(KeycloakKind kind)
    {
        await using var fixture = await StartAsync(kind, ("Provisioning:AccountId", "{email}"));
        var id = await fixture.CreateUserAsync("mover");
        await Eventually.TrueAsync(() => fixture.Database.HasAccountAsync("mover@example.com"), "the account is opened");
        await fixture.UpdateUserAsync(id, new JsonObject { ["email"] = "renamed@example.com" });
        await Eventually.TrueAsync(() => fixture.Database.HasAccountAsync("renamed@example.com"), "the account is renamed");

        Assert.Equal(
            ["credit.create success, credit.rename success 5.00"],
            await fixture.Database.QueryAsync<string>(
                """
                select string_agg(a.action || ' ' || a.result, ', ' order by a.id) || ' ' || min(c.credits_remaining)::numeric(9, 2)
                from user_credits c join audit_logs a using (user_id) where c.keycloak_id = @id
                """, new { id }));
    }

    [Theory, EveryKeycloak]
    public async Task A_user_excluded_until_the_address_is_verified_gets_account_and_grant_then(KeycloakKind kind)
    {
        await using var fixture = await StartAsync(kind, ("Provisioning:Eligibility:EmailVerified", "true"));
        var id = await fixture.CreateUserAsync("careful");
        await Eventually.TrueAsync(
            () => fixture.Database.ScalarAsync<bool>(
                "select exists (select from keycloak_users where keycloak_id = @id and reason = 'email_not_verified')", new { id }),
            "the user is excluded");
        Assert.False(await fixture.Database.HasAccountAsync(id));

        await fixture.UpdateUserAsync(id, new JsonObject { ["emailVerified"] = true });
        await fixture.Database.AssertOpenedAsync(id, Heard);
    }

    [Theory, EveryKeycloak]
    public async Task A_user_of_an_allowed_provider_has_an_account_and_others_have_none(KeycloakKind kind)
    {
        await using var fixture = await StartAsync(kind, ("Provisioning:Eligibility:IdentityProviders:0", "broker-guest"));
        var other = await fixture.CreateUserAsync("other");
        await fixture.Database.AssertOpenedAsync(await fixture.ArriveThroughBrokerAsync("guest"), Heard);
        await Eventually.TrueAsync(
            async () => (await fixture.Database.RecordOfAsync(other)).UserState == "excluded", "the other one is excluded");
    }

    [Theory, EveryKeycloak]
    public async Task A_verified_address_is_granted_once_though_its_user_is_deleted_and_registers_again(KeycloakKind kind)
    {
        await using var fixture = await StartAsync(
            kind, ("Provisioning:SignupGrant:OncePer", "Email"), ("Provisioning:SignupGrant:EmailKey", new string('k', 32)),
                ("Provisioning:DeletedUsers", "Forfeit"));
        var first = await fixture.RegisterAsync("again");
        await AssertLedgerAsync(fixture, first, "signup 0.00 0.00 trial address_not_verified");
        await fixture.UpdateUserAsync(first, new JsonObject { ["emailVerified"] = true });
        await AssertLedgerAsync(fixture, first, "welcome 5.00 5.00 trial initial_allocation");
        await fixture.Admin.DeleteUserAsync(fixture.Realm, first, Token);
        Assert.Equal(0m, (await fixture.Database.WaitForStatusAsync(first, "closed")).Balance);

        var second = await fixture.CreateUserAsync("again");
        await AssertLedgerAsync(fixture, second, "signup 0.00 0.00 trial address_not_verified");
        await fixture.UpdateUserAsync(second, new JsonObject { ["emailVerified"] = true });
        await AssertLedgerAsync(fixture, second, "welcome 0.00 0.00 trial address_granted_before");
        Assert.Equal(5m, await fixture.Database.ScalarAsync<decimal>(
            "select sum(amount) from credit_transactions where grant_key is not null and amount > 0"));
        Assert.DoesNotContain(fixture.Bridge.Log.All, line => line.Contains("again@example.com", StringComparison.Ordinal));
    }

    private static Task AssertLedgerAsync(ContractFixture fixture, string id, string row) => Eventually.TrueAsync(
        async () =>
            (await fixture.Database.RecordOfAsync(id)).Ledger?.Contains(row, StringComparison.Ordinal) == true, $"the ledger has {row}");

    private async Task<ContractFixture> StartAsync(KeycloakKind kind, params (string Key, string? Value)[] rules)
    {
        var fixture = await ContractFixture.CreateAsync(servers, postgres, kind);
        await fixture.StartBridgeAsync(rules);
        return fixture;
    }

    private static async Task AssertKeepsAccountAsync(ContractFixture fixture)
    {
        var id = await fixture.CreateKnownAsync("victim");
        await WrongPasswords.SendAsync(fixture.KeycloakUrl, fixture.Realm, "victim", Token);
        var checkedAt = await fixture.CheckedAtAsync(id);
        await fixture.UpdateUserAsync(id, new JsonObject { ["firstName"] = "Vic" });
        await fixture.WaitForReevaluationAsync(id, checkedAt);
        Assert.Equal("active",
            await fixture.Database.ScalarAsync<string>("select status from user_credits where keycloak_id = @id", new { id }));

        await fixture.UpdateUserAsync(id, new JsonObject { ["enabled"] = false });
        await fixture.Database.WaitForStatusAsync(id, "held");
    }
}
