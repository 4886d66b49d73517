using KeycloakCreditBridge.Sandbox.Bridges;
using KeycloakCreditBridge.Sandbox.Emulator.Users;
using KeycloakCreditBridge.Tests.Running;
using KeycloakCreditBridge.Tests.Sandbox.Emulator;
using KeycloakCreditBridge.Tests.Storage;

namespace KeycloakCreditBridge.Tests.Faults;

/// <summary>The real executable is killed at each statement of a referral's payment: both sides are paid, or none.</summary>
[StartsPrograms]
public sealed class ReferralKillTests(PostgresFixture postgres)
{
    private const string PrepareSql =
        """
        insert into user_credits (user_id, realm, keycloak_id, credits_remaining, credits_allocated, tier, created_at, updated_at)
        select id, 'demo', id, 0, 0, 'trial', now(), now() from unnest(array['ana', 'bob']) as u (id);
        insert into credit_transactions (user_id, amount, balance_after, transaction_type, created_at)
        values ('bob', 2, 2, 'bonus', now()), ('bob', -2, 0, 'usage', now());
        insert into grant_policies (realm, policy, activated_at) values ('demo', 'referral', now());
        insert into referrers (user_id, places) values ('ana', 1);
        insert into referrals (referrer, referee, state, touched_at, checked_at, evaluated_at, due_at, place_at, settles_at,
            referrer_credits, referee_credits)
        values ('ana', 'bob', 'earned', now(), now(), now(), now(), now(), now(), 5, 3)
        """;

    private const string StateSql =
        """
        select concat_ws(', ', r.state, f.places, (
            select string_agg(t.user_id || ' ' || trim_scale(t.amount), ', ' order by t.user_id)
            from credit_transactions t where t.grant_key like 'referral:%'), (select trim_scale(sum(given)) from grant_budgets))
        from referrals r join referrers f on f.user_id = r.referrer
        """;

    [Theory]
    [InlineData("referral")]
    [InlineData("locked")]
    [InlineData("referral_facts:2")]
    [InlineData("referral_budget")]
    [InlineData("referral_given")]
    [InlineData("referral_moved")]
    public async Task A_killed_payment_has_paid_neither_side_and_the_next_replica_pays_both_once(string step)
    {
        await using var keycloak = await EmulatorFixture.StartAsync();
        foreach (var id in (string[])["ana", "bob"])
            keycloak.Server.Realm(EmulatorFixture.Realm).AddUser(new EmulatedUser(id, id) { Email = $"{id}@x.org", EmailVerified = true });
        await using var database = await postgres.CreateDatabaseAsync();
        await database.ExecuteAsync(PrepareSql);
        var settings = SettingsOf(database, keycloak);
        KillPoint.Plant(settings, step);
        await using (var killed = BridgeProcess.Launch(FaultFixture.NewUrl(), settings))
            await Eventually.TrueAsync(() => Task.FromResult(killed.HasExited), $"the payment reaches the step: {killed.Log}");
        Assert.Equal("earned, 1", await database.ScalarAsync<string>(StateSql));

        // Its lease would run out by itself.
        await database.ExecuteAsync("update referrals set due_at = now()");
        await using var next = BridgeProcess.Launch(FaultFixture.NewUrl(), SettingsOf(database, keycloak));
        await Eventually.TrueAsync(
            () => database.ScalarAsync<bool>("select state = 'paid' from referrals"), $"the next replica pays: {next.Log}");
        Assert.Equal("paid, 1, ana 5, bob 3, 5", await database.ScalarAsync<string>(StateSql));
    }

    private static Dictionary<string, string> SettingsOf(TestDatabase database, EmulatorFixture keycloak) => new(
        BridgeFixture.Settings(database.ConnectionString, keycloak.Server.Url).Select(
            setting => KeyValuePair.Create(setting.Key, setting.Value ?? "")), StringComparer.Ordinal)
    {
        ["Grants:Referrals:ReferrerCredits"] = "5",
        ["Grants:Referrals:RefereeCredits"] = "3",
        ["Grants:Referrals:Budget:Credits"] = "100",
    };
}
