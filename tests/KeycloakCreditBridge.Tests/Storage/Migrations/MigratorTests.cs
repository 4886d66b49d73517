using Dapper;
using KeycloakCreditBridge.Storage.Migrations;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;

namespace KeycloakCreditBridge.Tests.Storage.Migrations;

public sealed class MigratorTests(PostgresFixture postgres)
{
    private static readonly CancellationToken Token = CancellationToken.None;

    // The tables as reference installations have them.
    private const string ExistingInstallation =
        """
        create table user_credits (
            id uuid primary key default gen_random_uuid(), user_id varchar(255) not null unique,
            credits_remaining numeric(12, 6) not null default 0, credits_allocated numeric(12, 6) not null default 0,
            tier varchar(50) not null default 'free', monthly_cap numeric(12, 6), last_reset timestamptz default now(),
            created_at timestamptz default now(), updated_at timestamptz default now(), email_notifications_enabled boolean default true,
            constraint credits_remaining_positive check (credits_remaining >= 0),
            constraint valid_tier check (tier in ('free', 'trial', 'starter', 'professional', 'enterprise')));
        create table credit_transactions (
            id uuid primary key default gen_random_uuid(), user_id varchar(255) not null, amount numeric(12, 6) not null,
            transaction_type varchar(50) not null, provider varchar(100), model varchar(200), tokens_used integer, cost numeric(12, 6),
            metadata jsonb, created_at timestamptz default now(),
            constraint valid_transaction_type check (transaction_type in ('usage', 'purchase', 'bonus', 'refund', 'adjustment')));
        insert into user_credits (user_id, credits_remaining, credits_allocated, tier) values ('ana@example.com', 4.5, 5, 'trial');
        """;

    [Fact]
    public async Task A_second_migration_applies_nothing()
    {
        await using var database = await postgres.CreateEmptyDatabaseAsync();
        Assert.True(await Migrator(database).MigrateAsync(Token) > 0);
        Assert.Equal(0, await Migrator(database).MigrateAsync(Token));
        Assert.True(await Migrator(database).IsCurrentAsync(Token));
    }

    [Fact]
    public async Task Eight_migrators_at_once_apply_each_migration_once()
    {
        await using var database = await postgres.CreateEmptyDatabaseAsync();
        var applied = await Task.WhenAll(Enumerable.Range(0, 8).Select(_ => Migrator(database).MigrateAsync(Token)));
        Assert.Equal(await database.ScalarAsync<int>("select count(*)::int from schema_migrations"), applied.Sum());
        Assert.Single(applied, count => count > 0);
    }

    [Fact]
    public async Task An_edited_migration_is_refused_by_name()
    {
        await using var database = await postgres.CreateDatabaseAsync();
        await database.ExecuteAsync("update schema_migrations set checksum = 'edited' where version = 2");
        var error = await Assert.ThrowsAsync<MigrationException>(() => Migrator(database).MigrateAsync(Token));
        Assert.Contains("0002_known_users_and_hints", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_later_migration_that_older_programs_can_work_with_is_accepted_and_said_once()
    {
        await using var database = await postgres.CreateDatabaseAsync();
        var known = Migration.Embedded;
        await Migrator(database, Later(known, "create table later (id integer)", requires: known[^1].Version)).MigrateAsync(Token);
        using var log = new LogLines();
        using var factory = LoggerFactory.Create(logging => logging.AddProvider(log));
        var older = new Migrator(database.DataSource, TimeProvider.System, factory.CreateLogger<Migrator>());

        Assert.True(await older.IsCurrentAsync(Token));
        Assert.Equal(0, await older.MigrateAsync(Token));

        Assert.Single(log.All, line => line.Contains("9000_later", StringComparison.Ordinal));
    }

    [Fact]
    public async Task A_later_migration_that_needs_a_newer_program_is_refused_by_name()
    {
        await using var database = await postgres.CreateDatabaseAsync();
        var known = Migration.Embedded;
        await Migrator(database, Later(known, "drop table leases", requires: 9000)).MigrateAsync(Token);
        var error = await Assert.ThrowsAsync<MigrationException>(() => Migrator(database).IsCurrentAsync(Token));
        Assert.Equal(
            "The database has migration 9000_later, which needs a program that has migration 9000. "
            + $"The last one of this program is {known[^1].Version:0000}: run a newer program.",
            error.Message);
    }

    [Fact]
    public async Task A_later_migration_that_does_not_say_what_it_needs_is_refused()
    {
        await using var database = await postgres.CreateDatabaseAsync();
        await database.ExecuteAsync("insert into schema_migrations values (9999, '9999_future', 'x', now())");
        var error = await Assert.ThrowsAsync<MigrationException>(() => Migrator(database).IsCurrentAsync(Token));
        Assert.Contains("9999_future", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_table_of_migrations_from_before_the_rule_is_read_and_gets_the_column()
    {
        await using var database = await postgres.CreateDatabaseAsync();
        await database.ExecuteAsync("alter table schema_migrations drop column requires");
        Assert.True(await Migrator(database).IsCurrentAsync(Token));
        await Migrator(database, Later(Migration.Embedded, "select 1", requires: 0)).MigrateAsync(Token);
        Assert.True(await Migrator(database).IsCurrentAsync(Token));
    }

    [Fact]
    public async Task While_a_migration_works_the_table_of_migrations_can_be_read()
    {
        await using var database = await postgres.CreateDatabaseAsync();
        await using var holder = await database.DataSource.OpenConnectionAsync(Token);
        await using var held = await holder.BeginTransactionAsync(Token);
        await holder.ExecuteAsync("select pg_advisory_xact_lock(9000)");
        var slow = Later(Migration.Embedded, "select pg_advisory_xact_lock(9000)", requires: 0);

        var migrating = Migrator(database, slow).MigrateAsync(Token);
        await Eventually.TrueAsync(() => database.WaitsAsync("pg_advisory_xact_lock(9000)"), "the migration works");
        await database.ExecuteAsync("begin; lock table schema_migrations in access share mode nowait; commit");

        await held.RollbackAsync(Token);
        Assert.Equal(1, await migrating);
    }

    [Fact]
    public async Task An_existing_installation_is_taken_over_in_place()
    {
        await using var database = await postgres.CreateEmptyDatabaseAsync();
        await database.ExecuteAsync(ExistingInstallation);
        await Migrator(database).MigrateAsync(Token);
        var account = await database.QueryAsync<string>(
            "select user_id || ' ' || credits_remaining || ' ' || tier || ' ' || status from user_credits");
        Assert.Equal(["ana@example.com 4.500000 trial active"], account);
        await database.ExecuteAsync("update user_credits set credits_remaining = 99999999 where user_id = 'ana@example.com'");
    }

    private static Migrator Migrator(TestDatabase database, IReadOnlyList<Migration>? known = null) =>
        new(database.DataSource, TimeProvider.System, NullLogger<Migrator>.Instance) { Known = known ?? Migration.Embedded };

    private static IReadOnlyList<Migration> Later(IReadOnlyList<Migration> known, string sql, int requires) =>
        [.. known, new Migration(9000, "9000_later", sql, "checksum", requires)];
}
