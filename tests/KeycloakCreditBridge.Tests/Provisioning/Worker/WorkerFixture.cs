using KeycloakCreditBridge.Configuration.Reload;
using KeycloakCreditBridge.Hints;
using KeycloakCreditBridge.Hosting;
using KeycloakCreditBridge.Keycloak;
using KeycloakCreditBridge.Keycloak.Database;
using KeycloakCreditBridge.Provisioning.Accounts;
using KeycloakCreditBridge.Provisioning.Accounts.Renames;
using KeycloakCreditBridge.Provisioning.Policy;
using KeycloakCreditBridge.Provisioning.Subjects;
using KeycloakCreditBridge.Provisioning.Worker;
using KeycloakCreditBridge.Storage;
using KeycloakCreditBridge.Storage.Migrations;
using KeycloakCreditBridge.Tests.Keycloak;
using KeycloakCreditBridge.Tests.Storage;
using Microsoft.Extensions.Hosting.Internal;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Options;

namespace KeycloakCreditBridge.Tests.Provisioning.Worker;

/// <summary>A worker that is not running by itself: a test gives it hints and has it work through one batch.</summary>
internal sealed class WorkerFixture : IAsyncDisposable
{
    private readonly ClientFixture _keycloak;
    private readonly HintWriter _writer;
    private readonly SchemaGate _gate;

    private WorkerFixture(TestDatabase database, ClientFixture keycloak, HintOptions settings)
    {
        (Database, _keycloak) = (database, keycloak);
        var options = Options.Create(settings);
        var metrics = AccountFixture.NewMetrics();
        var hints = new HintStore(database.DataSource);
        var signal = new HintSignal(Clock);
        Handover = new HintHandover(options, Clock);
        _writer = new HintWriter(hints, Handover, signal, options, Clock);
        var policy = new GrantPolicy(Options.Create(new ProvisioningOptions()));
        _gate = new SchemaGate(
            new Migrator(database.DataSource, Clock, NullLogger<Migrator>.Instance), new AdoptionMarkStore(database.DataSource, Clock), [],
            Options.Create(new StorageOptions()), new ApplicationLifetime(NullLogger<ApplicationLifetime>.Instance), Clock,
            NullLogger<SchemaGate>.Instance);
        Provisioner = new Provisioner(
            new AccountStore(database.DataSource), new RenameStore(database.DataSource), metrics, Clock, NullLogger<Provisioner>.Instance);
        var evaluator = new HintEvaluator(new SubjectReader(keycloak.Client), NothingStored(), Hot.Of(policy), options, Clock);
        var completion = new HintCompletion(Provisioner, metrics, Clock, NullLogger<HintCompletion>.Instance);
        Converger = new HintConverger(
            evaluator, completion, new NewerReadingStore(database.DataSource), _writer, options, Clock,
            NullLogger<HintConverger>.Instance);
        Worker = new ProvisioningWorker(
            hints, Handover, signal, evaluator, completion, metrics, _gate, options, keycloak.Options, Clock,
            NullLogger<ProvisioningWorker>.Instance);
    }

    /// <summary>No database of Keycloak's is configured.</summary>
    public static DatabaseSubjectReader NothingStored()
    {
        var database = new KeycloakDatabase(Options.Create(new KeycloakOptions()));
        return new(database, new KeycloakDatabaseStore(database), TimeProvider.System, NullLogger<DatabaseSubjectReader>.Instance);
    }

    public TestDatabase Database { get; }

    public ScriptedKeycloak Server => _keycloak.Server;

    public ManualTimeProvider Clock => _keycloak.Clock;

    public HintHandover Handover { get; }

    public HintConverger Converger { get; }

    public ProvisioningWorker Worker { get; }

    public Provisioner Provisioner { get; }

    public static async Task<WorkerFixture> StartAsync(PostgresFixture postgres, HintOptions? settings = null) =>
        new(await postgres.CreateDatabaseAsync(), await ClientFixture.StartAsync(), settings ?? new HintOptions());

    public DeletedUserPurge NewPurge() =>
        new(new DeletedUserStore(Database.DataSource), _gate, Clock, NullLogger<DeletedUserPurge>.Instance);

    public Task HintAsync(string user, HintKind kind = HintKind.Changed, string realm = "shop") =>
        _writer.WriteAsync([new UserHint(realm, user, kind, "REGISTER", HintSources.Webhook)], ClientFixture.Cancellation);

    /// <summary>An event came, whose sender waits; true where the account is committed.</summary>
    public Task<bool> TakeAsync(string user, HintKind kind = HintKind.Changed, string cause = "REGISTER") =>
        Converger.TakeAsync(new UserHint("shop", user, kind, cause, HintSources.Webhook));

    /// <summary>Works through one batch, the clock standing still, and returns how many hints it took.</summary>
    public Task<int> WorkAsync() => Worker.WorkAsync(ClientFixture.Cancellation);

    /// <summary>The same, the clock running: where Keycloak is asked again after a pause.</summary>
    public Task<int> WorkPatientlyAsync() => _keycloak.DriveAsync(Worker.WorkAsync(ClientFixture.Cancellation));

    public Task<IReadOnlyList<string>> AccountsAsync() =>
        Database.QueryAsync<string>("select user_id || ' ' || status from user_credits order by user_id");

    public Task<IReadOnlyList<string>> HintsAsync() =>
        Database.QueryAsync<string>("select keycloak_id || ' ' || state || ' ' || attempts from user_hints order by keycloak_id");

    public async ValueTask DisposeAsync()
    {
        Converger.Dispose();
        _writer.Dispose();
        Worker.Dispose();
        _gate.Dispose();
        await _keycloak.DisposeAsync();
        await Database.DisposeAsync();
    }
}
