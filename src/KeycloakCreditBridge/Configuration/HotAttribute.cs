namespace KeycloakCreditBridge.Configuration;

/// <summary>
/// The setting, with all keys below it, changes without a restart. What reads it takes it from <see cref="Reload.Hot{T}"/>. Other settings
/// are as they were at the start.
/// </summary>
[AttributeUsage(AttributeTargets.Class | AttributeTargets.Property)]
internal sealed class HotAttribute : Attribute;

/// <summary>The setting needs a restart although it stands below one that is <see cref="HotAttribute">hot</see>.</summary>
[AttributeUsage(AttributeTargets.Property)]
internal sealed class NeedsRestartAttribute : Attribute;

/// <summary>The setting is a replica's own, such as an address: replicas with other values of it have the same settings.</summary>
[AttributeUsage(AttributeTargets.Class | AttributeTargets.Property)]
internal sealed class OfReplicaAttribute : Attribute;
