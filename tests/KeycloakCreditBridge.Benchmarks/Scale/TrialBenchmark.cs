using System.Diagnostics;
using System.Globalization;
using Dapper;
using KeycloakCreditBridge.Benchmarks.Measurement;
using KeycloakCreditBridge.Sandbox.Postgres;
using KeycloakCreditBridge.Sandbox.Processes;
using Npgsql;

namespace KeycloakCreditBridge.Benchmarks.Scale;

/// <summary>`grants try` over a large realm that is read from Keycloak's tables, against psql that reads the same rows.</summary>
internal static class TrialBenchmark
{
    // The columns that Keycloak 26.7 has and the bridge reads.
    private const string TablesSql =
        """
        create table realm (id varchar(36) primary key, name varchar(255) unique);
        create table user_entity (id varchar(36) primary key, email varchar(255), email_verified boolean not null, enabled boolean not null,
            federation_link varchar(255), realm_id varchar(255), username varchar(255), created_timestamp bigint,
            service_account_client_link varchar(255));
        insert into realm values ('realm-id', 'demo');
        insert into user_entity (id, email, email_verified, enabled, realm_id, username, created_timestamp)
        select u.id, u.id || case when number % 10 = 0 then '@uni.edu.example' else '@example.com' end, number % 3 > 0, true, 'realm-id',
            'user-' || number, (extract(epoch from now()) * 1000)::bigint - number
        from (select gen_random_uuid()::text as id, number from generate_series(1, @Users::integer) number) u;
        create role trial_reader login password 'x';
        grant select on realm, user_entity to trial_reader;
        """;

    private const string CopySql = "copy (select id, email, username from user_entity order by id collate \"C\") to stdout";

    private const string Settings =
        """
        {
          "Grants": {
            "Welcome": {
              "Credits": 5, "Before": 1, "Requires": ["email_verified"], "VerifyWithin": "7.00:00:00",
              "Rules": [
                {
                  "Name": "schools", "When": { "EmailDomain": "*.edu.example" }, "Credits": 20,
                  "Budget": { "Credits": 2000, "Per": "Day" }
                },
                { "Name": "partners", "When": { "EmailDomain": "partner.example" }, "Credits": 60 }
              ]
            },
            "Tasks": { "verify": { "Evidence": { "EmailVerified": true }, "Credits": 1, "Once": "Inbox" } }
          }
        }
        """;

    public static async Task<IReadOnlyList<Result>> RunAsync(PrivatePostgres server, int users)
    {
        await using var database = await BenchmarkDatabase.CreateAsync(server);
        var tables = await server.CreateDatabaseAsync("keycloak_trial", CancellationToken.None);
        await using (var source = NpgsqlDataSource.Create(tables + ";Command Timeout=600"))
        await using (var connection = await source.OpenConnectionAsync())
        {
            await connection.ExecuteAsync(TablesSql, new { Users = users });
            await connection.ExecuteAsync("vacuum analyze user_entity");
        }

        using var folder = InstanceFolder.Claim(Path.GetTempPath(), "trial");
        var file = Path.Combine(folder.Path, "new.json");
        await File.WriteAllTextAsync(file, Settings);
        var (seconds, peak) = await TryAsync(database, tables, file, users);
        var reference = await ReadAsync(tables);
        return [
            new Result(
                $"`grants try` over {users:N0} users of Keycloak's database",
                string.Create(CultureInfo.InvariantCulture, $"{seconds:0.0} s, resident {peak} MiB at most"),
                string.Create(CultureInfo.InvariantCulture, $"psql that reads the same rows: {reference:0.0} s"), reference / seconds),
        ];
    }

    private static async Task<(double Seconds, long Peak)> TryAsync(BenchmarkDatabase database, string tables, string file, int users)
    {
        var start = new ProcessStartInfo(
            "dotnet",
            [Path.Combine(AppContext.BaseDirectory, "KeycloakCreditBridge.dll"), "grants", "try", "--config", file, "--json"])
        {
            RedirectStandardOutput = true,
        };
        foreach (var (key, value) in new Dictionary<string, string>
        {
            ["Storage:ConnectionString"] = database.ConnectionString, ["Keycloak:Url"] = "http://127.0.0.1:9",
            ["Keycloak:ClientSecret"] = "unused", ["Keycloak:Realms:0:Name"] = "demo",
            ["Keycloak:Realms:0:WebhookSecrets:0"] = new string('w', 32), ["Provisioning:SignupGrant:EmailKey"] = new string('k', 32),
            ["Keycloak:Database:ConnectionString"] =
                new NpgsqlConnectionStringBuilder(tables) { Username = "trial_reader", Password = "x" }.ConnectionString,
        })
            start.Environment[key.Replace(":", "__", StringComparison.Ordinal)] = value;
        var started = Stopwatch.GetTimestamp();
        using var process = Process.Start(start)!;
        var output = process.StandardOutput.ReadToEndAsync();
        long peak = 0;
        while (!process.HasExited)
        {
            process.Refresh();
            peak = Math.Max(peak, process.HasExited ? 0 : process.PeakWorkingSet64);
            await Task.Delay(50);
        }

        var seconds = Stopwatch.GetElapsedTime(started).TotalSeconds;
        var counted = $"\"grant\":\"signup\",\"rule\":null,\"state\":\"due\",\"users\":{users.ToString(CultureInfo.InvariantCulture)}";
        return process.ExitCode == 0 && (await output).Contains(counted, StringComparison.Ordinal)
            ? (seconds, peak / 1024 / 1024)
            : throw new InvalidOperationException($"grants try ended with {process.ExitCode}: {await output}");
    }

    private static async Task<double> ReadAsync(string tables)
    {
        var address = new NpgsqlConnectionStringBuilder(tables);
        var start = new ProcessStartInfo("psql", ["-q", "-c", CopySql, $"-h{address.Host}", $"-p{address.Port}", $"-U{address.Username}",
            address.Database!])
        {
            RedirectStandardOutput = true, Environment = { ["PGPASSWORD"] = address.Password },
        };
        var started = Stopwatch.GetTimestamp();
        using var process = Process.Start(start)!;
        await process.StandardOutput.BaseStream.CopyToAsync(Stream.Null);
        await process.WaitForExitAsync();
        return process.ExitCode == 0
            ? Stopwatch.GetElapsedTime(started).TotalSeconds
            : throw new InvalidOperationException($"psql ended with {process.ExitCode}.");
    }
}
