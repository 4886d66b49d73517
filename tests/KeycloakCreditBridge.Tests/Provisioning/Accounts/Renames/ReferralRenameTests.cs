using KeycloakCreditBridge.Tests.Storage;
using static KeycloakCreditBridge.Tests.Provisioning.AccountFixture;

namespace KeycloakCreditBridge.Tests.Provisioning.Accounts.Renames;

public sealed class ReferralRenameTests(PostgresFixture postgres)
{
    private const string A = "a@example.com";
    private const string B = "b@example.com";

    [Fact]
    public async Task Referrals_follow_both_accounts_and_codes_their_owner()
    {
        await using var fixture = await StartAsync(postgres, OncePerEmail("{email}"));
        await fixture.ReadAsync(User("ana", A), User("bob", B));
        await fixture.Database.ExecuteAsync(
            """
            insert into referral_codes (user_id, code, created_at) values ('a@example.com', '7Q2MX9TD', now());
            insert into referrers (user_id, places) values ('a@example.com', 1);
            insert into referrals (referrer, referee, state, touched_at, evaluated_at)
            values ('a@example.com', 'b@example.com', 'touched', now(), now())
            """);
        // Each takes the other one's address.
        await fixture.ReadAsync(User("ana", B), User("bob", A));
        Assert.Equal(
            [$"{B} {B} {B} {A}"], await fixture.Database.QueryAsync<string>(
                """
                select c.user_id || ' ' || f.user_id || ' ' || r.referrer || ' ' || r.referee
                from referral_codes c cross join referrers f cross join referrals r
                """));
    }
}
