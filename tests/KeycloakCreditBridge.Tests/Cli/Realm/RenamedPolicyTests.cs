using KeycloakCreditBridge.Accounts;
using KeycloakCreditBridge.Tests.Storage;

namespace KeycloakCreditBridge.Tests.Cli.Realm;

/// <summary>Policies of a realm that was renamed.</summary>
public sealed class RenamedPolicyTests(PostgresFixture postgres)
{
    [Fact]
    public async Task Policies_of_both_names_become_one_and_budgets_move()
    {
        await using var database = await postgres.CreateDatabaseAsync();
        await database.ExecuteAsync(
            """
            insert into grant_policies (realm, policy, activated_at, disabled_at) values
                ('demo', 'welcome', '2026-01-02', null), ('store', 'welcome', '2026-01-03', '2026-01-04'),
                ('demo', 'task:mfa', '2026-01-05', null);
            insert into scheduled_evaluations (realm, keycloak_id, what, due_at)
                select r, 'ana', 'welcome', now() from unnest(array['demo', 'store']) r;
            insert into grant_budgets (policy, day, given) values
                ('demo:welcome:partners', '9999-12-31', 5), ('store:welcome:partners', '9999-12-31', 2),
                ('demo2:welcome:partners', '9999-12-31', 7), ('demo:other', '9999-12-31', 1);
            """);

        await new RealmRenameStore(database.DataSource, TimeProvider.System).RenameAsync(
            "demo", "store", merge: true, TestContext.Current.CancellationToken);

        Assert.Equal(
            ["store task:mfa 5 f", "store welcome 2 t"],
            await database.QueryAsync<string>(
                """
                select concat_ws(' ', realm, policy, extract(day from activated_at at time zone 'UTC'), disabled_at is not null)
                from grant_policies order by policy
                """));
        Assert.Equal(["store"], await database.QueryAsync<string>("select realm from scheduled_evaluations"));
        Assert.Equal(
            ["demo2:welcome:partners 7", "demo:other 1", "store:welcome:partners 7"],
            await database.QueryAsync<string>("select policy || ' ' || given::integer from grant_budgets order by policy collate \"C\""));
    }
}
