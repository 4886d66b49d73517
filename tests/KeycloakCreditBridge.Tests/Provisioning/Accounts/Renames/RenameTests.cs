using KeycloakCreditBridge.Provisioning.Policy;
using KeycloakCreditBridge.Tests.Grants;
using KeycloakCreditBridge.Tests.Storage;
using static KeycloakCreditBridge.Tests.Provisioning.AccountFixture;

namespace KeycloakCreditBridge.Tests.Provisioning.Accounts.Renames;

public sealed class RenameTests(PostgresFixture postgres)
{
    private const string A = "a@example.com";
    private const string B = "b@example.com";

    private static ProvisioningOptions ByEmail => OncePerEmail("{email}");

    [Fact]
    public async Task A_changed_address_renames_account_ledger_audit_rows_remembered_address_and_charged_records()
    {
        await using var fixture = await StartAsync(postgres, ByEmail);
        await fixture.ReadAsync(User("ana", A));
        await fixture.Database.ExecuteAsync(
            """
            insert into credit_transactions (user_id, amount, transaction_type) values ('a@example.com', -1, 'usage');
            update user_credits set credits_remaining = 4;
            insert into usage_records (user_id, record_id, charged_at) values ('a@example.com', 'r-1', now()), ('a@example.com', 'r-2',
                now()), ('b@example.com', 'r-2', now());
            """);
        Assert.Equal(["ana"], await fixture.DifferencesAsync(User("ana", B)));

        var result = await fixture.ReadAsync(User("ana", B));

        Assert.Empty(result.Changes);
        Assert.Equal([$"{B} active 4.00 of ana"], await fixture.AccountsAsync());
        Assert.Equal([$"ana account {B}"], await fixture.KnownAsync());
        Assert.Equal(["credit.create", "credit.rename"], await fixture.AuditAsync(B));
        Assert.Equal($"{A} {B}", await fixture.Database.ScalarAsync<string>(
            "select metadata ->> 'from' || ' ' || (metadata ->> 'to') from audit_logs where action = 'credit.rename'"));
        Assert.Equal(0, await fixture.Database.ScalarAsync<int>(
            """
            select (select count(*) from credit_transactions where user_id = @A)::int + (select count(*) from audit_logs
                where @A in (user_id, resource_id))::int
                + (select count(*) from granted_emails where account_id = @A)::int
            """, new { A }));
        // A gateway may deliver a record again under the old name, which may be another user's by then.
        Assert.Equal(
            [$"{A} r-1", $"{A} r-2", $"{B} r-1", $"{B} r-2"],
                await fixture.Database.QueryAsync<string>("select user_id || ' ' || record_id from usage_records order by 1"));
        Assert.Empty(await fixture.DifferencesAsync(User("ana", B)));
    }

    [Fact]
    public async Task Grants_with_their_ends_and_checkpoints_follow_the_account()
    {
        await using var fixture = await StartAsync(postgres, ByEmail);
        await fixture.ReadAsync(User("ana", A));
        await fixture.Database.ExecuteAsync(
            """
            insert into credit_grants (user_id, grant_key, amount, granted_at, expires_at)
            select user_id, 'signup', 5, updated_at, now() - interval '1 second' from user_credits;
            update user_credits set next_expiry = now() - interval '1 second';
            insert into lot_checkpoints (user_id, booked_at, entry_id, state)
            select user_id, created_at, id, '{"Debt": 0, "Lots": []}' from credit_transactions
            """);
        await fixture.ReadAsync(User("ana", B));
        Assert.Equal(
            [$"{B} checkpoint", $"{B} signup"],
            await fixture.Database.QueryAsync<string>(
                "select user_id || ' ' || grant_key from credit_grants union all "
                    + "select user_id || ' checkpoint' from lot_checkpoints order by 1"));

        await using var grants = new GrantFixture(new TestDatabase(fixture.Database.ConnectionString), DateTimeOffset.UtcNow);
        await fixture.Database.ExecuteAsync("delete from lot_checkpoints");
        Assert.True(await grants.Book.SettleAsync(B, TestContext.Current.CancellationToken));
        Assert.Equal([$"{B} active 0.00 of ana"], await fixture.AccountsAsync());
    }

    [Fact]
    public async Task An_older_reading_renames_nothing()
    {
        await using var fixture = await StartAsync(postgres, ByEmail);
        var earlier = fixture.Evaluate(User("ana", A));
        await fixture.ReadAsync(User("ana", B));
        await fixture.ConvergeAsync(earlier);
        Assert.Equal([$"{B} active 5.00 of ana"], await fixture.AccountsAsync());
    }

    [Fact]
    public async Task A_user_that_wants_a_taken_id_keeps_its_own_account_held_until_the_id_is_free()
    {
        await using var fixture = await StartAsync(postgres, ByEmail);
        await fixture.ReadAsync(User("ana", A), User("ben", B));

        await fixture.ReadAsync(User("ben", A));
        Assert.Equal([$"{A} active 5.00 of ana", $"{B} held account_id_taken 5.00 of ben"], await fixture.AccountsAsync());
        Assert.Equal(["ana account a@example.com", "ben held account_id_taken b@example.com"], await fixture.KnownAsync());
        Assert.Equal(["credit.create", "credit.hold"], await fixture.AuditAsync(B));
        Assert.Empty(await fixture.DifferencesAsync(User("ana", A), User("ben", A)));

        await fixture.ReadAsync(User("ana", "c@example.com"));
        Assert.Equal(["ben"], await fixture.DifferencesAsync(User("ana", "c@example.com"), User("ben", A)));
        await fixture.ReadAsync(User("ben", A));
        Assert.Equal([$"{A} active 5.00 of ben", "c@example.com active 5.00 of ana"], await fixture.AccountsAsync());
        Assert.Equal(["ana account c@example.com", "ben account a@example.com"], await fixture.KnownAsync());
    }

    [Fact]
    public async Task A_user_that_takes_its_old_address_back_is_released()
    {
        await using var fixture = await StartAsync(postgres, ByEmail);
        await fixture.ReadAsync(User("ana", A), User("ben", B));
        await fixture.ReadAsync(User("ben", A));
        await fixture.ReadAsync(User("ben", B));
        Assert.Equal([$"{A} active 5.00 of ana", $"{B} active 5.00 of ben"], await fixture.AccountsAsync());
    }

    [Fact]
    public async Task A_new_user_with_a_taken_id_is_excluded_until_the_id_is_free()
    {
        await using var fixture = await StartAsync(postgres, new ProvisioningOptions { AccountId = "{email}" });
        await fixture.ReadAsync(User("ana", A));
        await fixture.ReadAsync(User("ben", A));
        Assert.Equal(["ana account a@example.com", "ben excluded account_id_taken"], await fixture.KnownAsync());
        await fixture.ReadAsync(User("ana", B));
        Assert.Equal(["ben"], await fixture.DifferencesAsync(User("ana", B), User("ben", A)));
        await fixture.ReadAsync(User("ben", A));
        Assert.Equal([$"{A} active 5.00 of ben", $"{B} active 5.00 of ana"], await fixture.AccountsAsync());
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task Two_users_that_swap_addresses_keep_their_own_accounts(bool together)
    {
        await using var fixture = await StartAsync(postgres, ByEmail);
        await fixture.ReadAsync(User("ana", A), User("ben", B));
        await fixture.Database.ExecuteAsync("update user_credits set tier = 'of-' || keycloak_id");
        if (together)
        {
            await fixture.ReadAsync(User("ana", B), User("ben", A));
        }
        else
        {
            await fixture.ReadAsync(User("ana", B));
            await fixture.ReadAsync(User("ben", A));
            Assert.Equal(["ana"], await fixture.DifferencesAsync(User("ana", B), User("ben", A)));
            await fixture.ReadAsync(User("ana", B));
        }

        Assert.Equal([$"{A} active 5.00 of ben", $"{B} active 5.00 of ana"], await fixture.AccountsAsync());
        Assert.Equal(
            2, await fixture.Database.ScalarAsync<int>("select count(*)::int from user_credits where tier = 'of-' || keycloak_id"));
        Assert.Equal(["ana account b@example.com", "ben account a@example.com"], await fixture.KnownAsync());
        Assert.Empty(await fixture.DifferencesAsync(User("ana", B), User("ben", A)));
    }

    [Fact]
    public async Task A_ledger_without_an_account_is_not_given_to_another_user()
    {
        await using var fixture = await StartAsync(postgres, ByEmail);
        await fixture.ReadAsync(User("ana", A), User("ben", B));
        await fixture.Database.ExecuteAsync("delete from user_credits where keycloak_id = 'ana'");
        await fixture.ReadAsync(User("ben", A));
        Assert.Equal([$"{B} held account_id_taken 5.00 of ben"], await fixture.AccountsAsync());
    }

    [Fact]
    public async Task A_bridge_that_ends_between_renaming_and_converging_leaves_nothing_half_done()
    {
        await using var fixture = await StartAsync(postgres, ByEmail);
        await fixture.ReadAsync(User("ana", A));
        var change = fixture.Evaluate(User("ana", B));

        Assert.Equal(1, await fixture.Renames.RenameAsync([change], Start, TestContext.Current.CancellationToken));
        await fixture.Database.AssertLedgerAsync();
        Assert.Equal([$"{B} active 5.00 of ana"], await fixture.AccountsAsync());
        Assert.Equal(0, await fixture.Renames.RenameAsync([change], Start, TestContext.Current.CancellationToken));

        await fixture.ConvergeAsync(change);
        Assert.Equal([$"ana account {B}"], await fixture.KnownAsync());
        Assert.Equal(["credit.create", "credit.rename"], await fixture.AuditAsync(B));
    }

    [Fact]
    public async Task A_rename_that_the_database_refuses_delays_no_other_user()
    {
        await using var fixture = await StartAsync(postgres, ByEmail);
        await fixture.ReadAsync(User("ana", A), User("ben", B));
        await fixture.Database.ExecuteAsync(
            "create table orders (user_id text references user_credits (user_id)); insert into orders values ('a@example.com')");
        var result = await fixture.ReadAsync(User("ana", "c@example.com"), User("ben", "d@example.com"), User("cy", "e@example.com"));
        Assert.Equal("ana", Assert.Single(result.Refusals).DesiredState.KeycloakId);
        Assert.Equal(
            [$"{A} active 5.00 of ana", "d@example.com active 5.00 of ben", "e@example.com active 5.00 of cy"],
                await fixture.AccountsAsync());
    }

    [Fact]
    public async Task Bridges_that_rename_open_and_collide_at_once_merge_no_users_and_lose_nothing()
    {
        await using var fixture = await StartAsync(postgres, ByEmail);
        string[] users = [.. Enumerable.Range(0, 6).Select(number => $"user-{number}")];
        for (var round = 0; round < 30; round++)
        {
            // Each round every user takes the next one's address, and every bridge converges all of them, in an order of its own.
            var shown = users
                .Select((id, number) => fixture.Evaluate(User(id, $"{(number + round) % users.Length}@example.com")))
                .ToArray();
            await Task.WhenAll(Enumerable.Range(0, 3).Select(bridge => Task.Run(async () =>
            {
                foreach (
                    var part in shown.OrderBy(item => $"{bridge}{item.KeycloakId}".GetHashCode(StringComparison.Ordinal)).Chunk(2 + bridge))
                    await ConvergeUntilDoneAsync(fixture, part);
            })));
            await fixture.Database.AssertLedgerAsync();
        }

        var last = users.Select((id, number) => User(id, $"{(number + 29) % users.Length}@example.com")).ToArray();
        await fixture.ReadAsync(last);
        await fixture.ReadAsync(last);
        Assert.Equal(
            last.Select(user => $"{user.Email} active 5.00 of {user.KeycloakId}").Order(StringComparer.Ordinal),
                await fixture.AccountsAsync());
        Assert.Equal(6, await fixture.GrantsAsync());
    }

    // What was refused, or lost a deadlock, is tried again, as a hint is.
    private static async Task ConvergeUntilDoneAsync(AccountFixture fixture, DesiredState[] part)
    {
        for (var attempt = 0; attempt < 20; attempt++)
        {
            try
            {
                if ((await fixture.ConvergeAsync(part)).Refusals.Count == 0)
                    return;
            }
            catch (Npgsql.PostgresException exception) when (exception.SqlState == Npgsql.PostgresErrorCodes.DeadlockDetected)
            {
                continue;
            }
        }

        Assert.Fail("Twenty tries were not enough.");
    }
}
