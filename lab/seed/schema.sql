create extension if not exists "uuid-ossp";
create extension if not exists pg_trgm;

create type userrole as enum ('SUPER_ADMIN', 'ADMIN', 'USER', 'VIEWER');
create type projecttype as enum ('STANDARD', 'RESEARCH', 'COMMERCIAL');
create type projectstatus as enum ('ACTIVE', 'ARCHIVED', 'DELETED');
create type ocrstatus as enum ('PENDING', 'PROCESSING', 'COMPLETED', 'FAILED');
create type slicetype as enum ('PARAGRAPH', 'IMAGE', 'TABLE', 'HEADER', 'FOOTER');
create type cotsource as enum ('MANUAL', 'HUMAN_AI', 'GENERALIZATION');
create type cotstatus as enum ('DRAFT', 'REVIEWED', 'APPROVED', 'REJECTED');
create type exportformat as enum ('json', 'markdown', 'latex', 'txt');
create type exportstatus as enum ('pending', 'processing', 'completed', 'failed');
create type taskstatus as enum ('PENDING', 'PROGRESS', 'SUCCESS', 'FAILURE', 'RETRY', 'REVOKED');
create type auditeventtype as enum ('CREATE', 'UPDATE', 'DELETE', 'LOGIN', 'LOGOUT', 'EXPORT', 'IMPORT', 'ACCESS', 'PERMISSION', 'SYSTEM');
create type auditseverity as enum ('LOW', 'MEDIUM', 'HIGH', 'CRITICAL');
create type resourcetype as enum ('USER', 'PROJECT', 'FILE', 'SLICE', 'COT', 'KG', 'EXPORT', 'SYSTEM');

create table roles (
  id varchar(36) primary key, name varchar(50) not null unique, description text,
  created_at timestamptz not null, updated_at timestamptz not null);
create table permissions (
  id varchar(36) primary key, name varchar(100) not null unique, resource varchar(50) not null, action varchar(50) not null,
  created_at timestamptz not null, updated_at timestamptz not null);
create table users (
  id varchar(36) primary key, username varchar(50) not null unique, email varchar(255) not null unique,
  hashed_password varchar(255) not null, full_name varchar(255), is_active boolean not null, is_superuser boolean not null,
  roles json, role userrole not null, department varchar(100), last_login timestamptz, login_count integer not null,
  created_at timestamptz not null, updated_at timestamptz not null);
create table user_roles (
  id varchar(36) primary key, user_id varchar(36) not null references users, role_id varchar(36) not null references roles,
  expires_at timestamptz, created_at timestamptz not null, updated_at timestamptz not null);
create table projects (
  id varchar(36) primary key, name varchar(255) not null, description text, owner_id varchar(36) not null references users,
  tags json, project_type projecttype not null, status projectstatus not null,
  created_at timestamptz not null, updated_at timestamptz not null);
create table project_permissions (
  id varchar(36) primary key, project_id varchar(36) not null references projects, permission_id varchar(36) not null references permissions,
  created_at timestamptz not null, updated_at timestamptz not null);
create table user_project_permissions (
  id varchar(36) primary key, user_id varchar(36) not null references users, project_id varchar(36) not null references projects,
  permission_id varchar(36) not null references permissions, created_at timestamptz not null, updated_at timestamptz not null);
create table files (
  id varchar(36) primary key, project_id varchar(36) not null references projects, filename varchar(255) not null,
  original_filename varchar(255) not null, file_path varchar(500) not null, file_hash varchar(64) not null, size bigint not null,
  mime_type varchar(100), ocr_status ocrstatus not null, ocr_engine varchar(50), ocr_result text,
  created_at timestamptz not null, updated_at timestamptz not null);
create index files_file_hash on files (file_hash);
create table slices (
  id varchar(36) primary key, file_id varchar(36) not null references files, content text not null, start_offset integer,
  end_offset integer, slice_type slicetype not null, page_number integer, sequence_number integer not null,
  created_at timestamptz not null, updated_at timestamptz not null);
create index slices_file on slices (file_id, sequence_number);
create table cot_items (
  id varchar(36) primary key, project_id varchar(36) not null references projects, slice_id varchar(36) not null references slices,
  question text not null, chain_of_thought text, source cotsource not null, status cotstatus not null, llm_metadata json,
  created_by varchar(36) references users, reviewed_by varchar(36) references users,
  created_at timestamptz not null, updated_at timestamptz not null);
create index cot_items_project on cot_items (project_id, status);
create table cot_candidates (
  id varchar(36) primary key, cot_item_id varchar(36) not null references cot_items, text text not null, chain_of_thought text,
  score double precision check (score between 0 and 1), chosen boolean not null, rank integer not null,
  created_at timestamptz not null, updated_at timestamptz not null);
create index cot_candidates_item on cot_candidates (cot_item_id);
create table kg_entities (
  id varchar(36) primary key, name varchar(255) not null, entity_type varchar(50) not null, description text, properties json,
  confidence_score double precision, neo4j_node_id varchar(100) unique, embedding_vector json, embedding_model varchar(100),
  created_at timestamptz not null, updated_at timestamptz not null);
create index kg_entities_name on kg_entities using gin (name gin_trgm_ops);
create table kg_relations (
  id varchar(36) primary key, source_entity_id varchar(36) not null references kg_entities,
  target_entity_id varchar(36) not null references kg_entities, relation_type varchar(50) not null, description text,
  properties json, confidence_score double precision, neo4j_relation_id varchar(100) unique,
  created_at timestamptz not null, updated_at timestamptz not null);
create table kg_extractions (
  id varchar(36) primary key, cot_item_id varchar(36) not null references cot_items, project_id varchar(36) not null references projects,
  entity_id varchar(36) references kg_entities, relation_id varchar(36) references kg_relations, extraction_method varchar(50),
  source_text text, context text, confidence_score double precision, extraction_metadata json,
  created_at timestamptz not null, updated_at timestamptz not null);
create table kg_embeddings (
  id varchar(36) primary key, entity_id varchar(36) references kg_entities, relation_id varchar(36) references kg_relations,
  embedding_model varchar(100) not null, embedding_vector json not null, vector_dimension integer not null, source_text text,
  embedding_metadata json, created_at timestamptz not null, updated_at timestamptz not null);
create table export_tasks (
  id varchar(36) primary key, task_id varchar(255) not null unique, project_id varchar(36) not null references projects,
  user_id varchar(36) not null references users, export_format exportformat not null, export_type varchar(20) not null,
  export_options json, status exportstatus not null, progress double precision not null, message text, error_message text,
  file_path varchar(500), file_size bigint, download_url varchar(500), checksum varchar(64), validation_result json,
  total_items integer, started_at timestamp, completed_at timestamp, expires_at timestamp,
  created_at timestamp not null, updated_at timestamp not null);
create table task_monitors (
  id uuid primary key, task_id varchar(255) not null unique, task_name varchar(255) not null, task_type varchar(50) not null,
  status taskstatus not null, priority varchar(20), progress integer not null check (progress between 0 and 100),
  current_step varchar(255), total_steps integer, user_id varchar(36), worker_name varchar(255), queue_name varchar(100),
  created_at timestamp not null, started_at timestamp, completed_at timestamp, updated_at timestamp not null,
  estimated_duration integer, actual_duration integer, parameters json, result json, error_info json,
  retry_count integer not null, max_retries integer not null, retry_delay integer not null, message text, tags json,
  is_critical boolean not null);
create index task_monitors_status on task_monitors (status, created_at);
create table audit_logs (
  id varchar(36) primary key, user_id varchar(36) references users, event_type auditeventtype not null, severity auditseverity not null,
  resource_type resourcetype, resource_id varchar(36), resource_name varchar(255), action varchar(100) not null, description text,
  details json, ip_address varchar(45), user_agent varchar(500), request_id varchar(100), success boolean not null,
  error_message text, old_values json, new_values json, created_at timestamptz not null, updated_at timestamptz not null);
create index audit_logs_created on audit_logs (created_at);
