using Dapper;
using KeycloakCreditBridge.Grants.Claims;
using KeycloakCreditBridge.Tests.Provisioning;
using KeycloakCreditBridge.Tests.Storage;
using static KeycloakCreditBridge.Tests.Provisioning.AccountFixture;

namespace KeycloakCreditBridge.Tests.Grants.Claims;

/// <summary>A program of the release before, which knows granted_emails alone, beside this one.</summary>
public sealed class OlderProgramClaimTests(PostgresFixture postgres)
{
    // As the older program claims an address, and tells whether it has it.
    private const string ClaimSql =
        """
        with claimed as (
            insert into granted_emails (email_hash, account_id, granted_at)
            select distinct on (e.email_hash) e.email_hash, e.account_id, now()
            from unnest(@Hashes::bytea[], @Accounts::text[]) as e (email_hash, account_id)
            order by e.email_hash, e.account_id collate "C"
            on conflict (email_hash) do nothing
            returning email_hash, account_id
        )
        select account_id from claimed
        """;

    private static readonly ClaimKeys Keys = OncePerEmail().SignupGrant.ToKeys();

    [Fact]
    public async Task Both_programs_at_once_grant_an_address_once()
    {
        await using var fixture = await StartAsync(postgres, OncePerEmail());
        var granted = 0;
        for (var round = 0; round < 20; round++)
        {
            string[] emails = [.. Enumerable.Range(0, 4).Select(number => $"user{round}-{number}@example.com")];
            await Task.WhenAll(
                Task.Run(() => fixture.ReadAsync([.. emails.Select(email => User($"new-{email}", email))])),
                Task.Run(async () => Interlocked.Add(ref granted, (await ClaimAsync(fixture, emails)).Count)),
                Task.Run(() => fixture.ReadAsync([.. emails.Reverse().Select(email => User($"too-{email}", email))])));
        }

        Assert.Equal(80, granted + await fixture.GrantsAsync());
        Assert.Equal(
            0,
            await fixture.Database.ScalarAsync<int>(
                """
                select count(*)::int from grant_claims c full join granted_emails e on e.email_hash = c.hash
                where e.account_id is distinct from c.first_user
                """));
    }

    [Fact]
    public async Task An_address_that_the_older_program_is_about_to_grant_is_waited_for()
    {
        await using var fixture = await StartAsync(postgres, OncePerEmail());
        await using var connection = await fixture.Database.DataSource.OpenConnectionAsync(TestContext.Current.CancellationToken);
        await using var transaction = await connection.BeginTransactionAsync(TestContext.Current.CancellationToken);
        await connection.QueryAsync<string>(ClaimSql, Claims(["ana@example.com"]));
        var reading = fixture.ReadAsync(User("ana", "ana@example.com"));
        await Eventually.TrueAsync(async () => await fixture.Database.ScalarAsync<bool>(
            "select exists (select from pg_stat_activity where wait_event_type = 'Lock' and datname = current_database())"),
            "the reading waits for the older program's claim");
        await transaction.CommitAsync(TestContext.Current.CancellationToken);
        await reading;
        Assert.Equal(["ana active 0.00 of ana"], await fixture.AccountsAsync());
        Assert.Equal(["old"], await fixture.Database.QueryAsync<string>("select first_user from grant_claims"));
    }

    [Fact]
    public async Task Either_program_follows_an_account_that_the_other_one_renamed()
    {
        await using var fixture = await StartAsync(postgres, OncePerEmail("{email}"));
        await fixture.ReadAsync(User("ana", "ana@example.com"));
        await fixture.ReadAsync(User("ana", "new@example.com"));
        Assert.Equal(["new@example.com"], await fixture.Database.QueryAsync<string>("select account_id from granted_emails"));
        await fixture.Database.ExecuteAsync("update granted_emails set account_id = 'third@example.com'");
        Assert.Equal(["third@example.com"], await fixture.Database.QueryAsync<string>("select first_user from grant_claims"));
    }

    private static async Task<IReadOnlyList<string>> ClaimAsync(AccountFixture fixture, string[] emails) =>
        await fixture.Database.QueryAsync<string>(ClaimSql, Claims(emails));

    private static object Claims(string[] emails) => new
    {
        Hashes = emails.Select(email => Keys.Of(OncePer.Email, email)!.Hash).ToArray(), Accounts = emails.Select(_ => "old").ToArray(),
    };
}
